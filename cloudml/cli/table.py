"""The commands, as data: the help page, the lazy command tree and the reference page are made from this table."""

from __future__ import annotations

SECTIONS = ("Begin", "Run", "Look", "Models and endpoints", "Housekeeping")

_AT = "cloudml.cli.commands."

COMMANDS: dict[str, tuple[str, str, str]] = {
    "init": (_AT + "begin:init", "Create a project from a template", "Begin"),
    "check": (_AT + "begin:check", "Find every problem in a pipeline, before anything runs", "Begin"),
    "graph": (_AT + "begin:graph", "Draw a pipeline as text or SVG", "Begin"),
    "plan": (_AT + "world:plan", "Show what a deploy would change", "Begin"),
    "run": (_AT + "drive:run", "Run a pipeline", "Run"),
    "deploy": (_AT + "drive:deploy", "Deploy a pipeline and its endpoints, and run it", "Run"),
    "apply": (_AT + "world:apply", "Make the world what the code declares, without a run", "Run"),
    "rerun": (_AT + "drive:rerun", "Run again, computing one step and all below it anew", "Run"),
    "resume": (_AT + "drive:resume", "Go on with a run that was interrupted, stopped, failed or waits", "Run"),
    "stop": (_AT + "drive:stop", "Stop a run or an endpoint", "Run"),
    "runs": (_AT + "look:runs", "List runs", "Look"),
    "show": (_AT + "look:show", "Show a run, or one step of it: states, metrics, lineage", "Look"),
    "logs": (_AT + "look:logs", "Print the log of a step or an endpoint", "Look"),
    "fetch": (_AT + "look:fetch", "Bring an output of a step to this machine", "Look"),
    "why": (_AT + "look:why", "Explain why each step ran, was reused, was skipped or failed", "Look"),
    "models": (_AT + "models:models", "List registered models, or show one version", "Models and endpoints"),
    "approve": (_AT + "models:approve", "Approve or reject a model version or a waiting step", "Models and endpoints"),
    "promote": (_AT + "models:promote", "Move an alias to a model version, here or elsewhere", "Models and endpoints"),
    "endpoints": (_AT + "endpoints:endpoints", "List endpoints; start or stop one", "Models and endpoints"),
    "rollback": (_AT + "endpoints:rollback", "Bring an endpoint back to what it served", "Models and endpoints"),
    "invoke": (_AT + "endpoints:invoke", "Send one request to an endpoint", "Models and endpoints"),
    "doctor": (_AT + "account:doctor", "Find what is missing here and in the account", "Housekeeping"),
    "permissions": (_AT + "account:permissions", "Print the least policies that the project needs", "Housekeeping"),
    "build": (_AT + "account:build", "Bake the project's requirements into an image", "Housekeeping"),
    "mock": (_AT + "mock:mock", "Start a mock cloud, or list them", "Housekeeping"),
    "backends": (_AT + "keep:backends", "List backends and what they need", "Housekeeping"),
    "gc": (_AT + "keep:gc", "Remove what no kept run needs", "Housekeeping"),
    "destroy": (_AT + "world:destroy", "Remove all that was made on a target", "Housekeeping"),
    "completion": (_AT + "keep:completion", "Print the completion script of a shell", "Housekeeping"),
}
"""Name: (module:attribute, what it does, section)."""

EXIT_CODES: tuple[tuple[int, str], ...] = (
    (0, "success"),
    (1, "failed: a run failed, a check found errors, a file is wrong"),
    (2, "`plan` found something to change"),
    (3, "refused by a rule, or waiting for a person"),
    (4, "the backend cannot be used: unreachable, or a package is missing"),
    (5, "reserved: drift was found"),
    (64, "wrong usage, or there is no such thing"),
    (70, "an error inside cloudml itself"),
    (130, "interrupted or stopped; `cloudml resume` goes on"),
)

SUMMARY = "One typed ML pipeline: on a laptop, on SageMaker, on Vertex AI."

OPTIONS = (
    ("--version", "Show the version."),
    ("-h, --help", "Show this help; `cloudml COMMAND --help` for one command."),
)


def version_text() -> str:
    """What `--version` prints."""
    from cloudml import __version__

    return f"cloudml {__version__}"


def help_text() -> str:
    """What `--help` prints."""
    width = max(map(len, COMMANDS)) + 2
    lines = ["Usage: cloudml [OPTIONS] COMMAND [ARGUMENTS]...", "", f"  {SUMMARY}", "", "Options:"]
    lines += [f"  {name:<{width}}{text}" for name, text in OPTIONS]
    for section in SECTIONS:
        lines += ["", f"{section}:"]
        lines += [f"  {name:<{width}}{entry[1]}" for name, entry in COMMANDS.items() if entry[2] == section]
    lines += ["", "Exit codes:"]
    lines += [f"  {code:<{width}}{meaning}" for code, meaning in EXIT_CODES]
    lines += ["", "Start:  cloudml init churn demo && cd demo && cloudml deploy --backend local"]
    return "\n".join(lines)
