"""What each code means, and what to do about it. A code keeps its meaning; `docs/reference/errors.md` is made here."""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """One line of the reference."""

    title: str
    meaning: str
    remedy: str


AUTHORING: dict[str, Code] = {
    "CML101": Code(
        "Not usable as a step",
        "A lambda, a nested function, a method or no function at all stands where a step's process must "
        "import a function by name.",
        "Put a plain function at the top of a module.",
    ),
    "CML102": Code(
        "Unclear signature",
        "A parameter or the return value has no type, a type that cannot be found, or a form that ports "
        "cannot have (`*args`, `**kwargs`, positional-only, one name twice).",
        "Give every parameter a name and a type, and annotate the return value.",
    ),
    "CML103": Code(
        "Reference used as text",
        "An f-string, `str()` or `format()` needs a value that is known only while the pipeline runs.",
        "Pass the reference on as an argument; in a message, as `{name}` with `name=reference`.",
    ),
    "CML104": Code(
        "Reference used as truth",
        "`if`, `while`, `and`, `or`, `not` or a chained comparison needs a value that is known only while "
        "the pipeline runs.",
        "Write `with ml.when(condition):`; join conditions with `&`, `|`, `~`.",
    ),
    "CML105": Code(
        "Reference used as number or list",
        "`int()`, `float()`, `len()`, `math`, iteration or an operator other than `+ - * /` needs a value "
        "that is known only while the pipeline runs.",
        "Calculate inside a step; go over lists with `ml.map`.",
    ),
    "CML106": Code(
        "No such output",
        "An output, metric or member that the step does not have, or a step with several outputs used as if "
        "it had one.",
        "Use one of the names that the message lists.",
    ),
    "CML107": Code(
        "Unknown argument",
        "The call gives an argument that the function does not take, gives one twice, or gives an output.",
        "Use the names of the function's parameters; leave `Out` parameters to the backend.",
    ),
    "CML108": Code("Missing argument", "The call leaves out a parameter that has no default.", "Give it in the call."),
    "CML109": Code(
        "Types do not fit",
        "The output of one step has a type that the parameter it is given to cannot take.",
        "Connect the right output, or change one of the annotations.",
    ),
    "CML110": Code(
        "Not a legal literal",
        "A value written in the pipeline is of another type than the parameter, or is not JSON.",
        "Write a value of the parameter's type; make anything else inside a step.",
    ),
    "CML111": Code(
        "Name used twice",
        "Two steps have the same name; the message names both lines.",
        "Name one: `.options(name=...)` for a function, `name=` for a verb.",
    ),
    "CML112": Code("Cycle", "Steps wait for one another; the message gives the path.", "Remove one of the `after=`."),
    "CML113": Code(
        "Used outside of its block",
        "An output made in a branch, a map or an on_exit block is used where it may not exist.",
        "Move the consumer into the block, or collect the outputs of a map with `ml.collect`.",
    ),
    "CML114": Code(
        "Handle of another build",
        "A handle was kept from another build of a pipeline.",
        "Call the step inside this pipeline, and use what that call returns.",
    ),
    "CML115": Code(
        "Outside of a build",
        "A verb was called outside of a pipeline's function, or a pipeline was called like a function.",
        "Move the call into the function under `@ml.pipeline`; use `.build()` or `cloudml run`.",
    ),
    "CML116": Code(
        "Undeclared or wrong parameter",
        "A pipeline uses or takes something that is not declared as `ml.Param`, or a default contradicts "
        "type, choices or limits.",
        "Write `name: ml.Param[float] = 0.82`.",
    ),
    "CML117": Code(
        "One name, two meanings",
        "Two endpoints, monitors or alerts have the same name and different settings.",
        "Define it once and use that object.",
    ),
    "CML118": Code(
        "Impossible schedule",
        "Cron fields, an interval or a time zone that do not exist.",
        "Five fields: minute, hour, day of month, month, day of week; a zone of the IANA database.",
    ),
    "CML119": Code(
        "Wrong objective",
        "What is to be maximized or minimized is no metric of the training function.",
        "Write `maximize=Fit.valid_auc` with a class of `ml.Metrics` that the function returns.",
    ),
    "CML120": Code(
        "Wrong search space",
        "An axis has nothing to draw from, draws another type than the parameter, or has no parameter.",
        "Use `ml.uniform`, `ml.log_uniform`, `ml.ints` or `ml.choice` under the parameter's name.",
    ),
    "CML121": Code(
        "Message cannot be filled in",
        "Names in braces and the values beside the message are not the same, or a secret would be shown.",
        "Give each `{name}` a `name=...`.",
    ),
    "CML122": Code(
        "Illegal setting", "An option is unknown, or its value is out of range.", "See the message for the legal form."
    ),
    "CML123": Code(
        "Wrong thing for a verb",
        "A verb is given something that it cannot work on: a deploy without a version, a map without a list.",
        "Pass what the message names.",
    ),
    "CML124": Code(
        "Empty or doubled block",
        "A block has no steps, is opened twice, or its otherwise branch stands in the wrong place.",
        "Call at least one step in it, once.",
    ),
    "CML125": Code(
        "Not a condition",
        "A value stands where a condition is needed, a condition where a value is needed, or something that "
        "cannot be compared is compared.",
        "Compare a metric or another scalar; put each comparison in parentheses.",
    ),
    "CML126": Code(
        "after= names no step",
        "A step is to run after something that is no step of the pipeline.",
        "Give handles that calls returned, or names of steps.",
    ),
}

SPEC: dict[str, Code] = {
    "CML200": Code("Problems in the pipeline", "One or more findings, each with its own code.", "See the findings."),
    "CML201": Code(
        "Wrong field",
        "A document has an unknown field, lacks one, or has a value of the wrong type.",
        "Compare with the JSON Schema: `cloudml schema`.",
    ),
    "CML202": Code(
        "Unknown spec version",
        "The document is of a version that this cloudml does not read.",
        "Write the version that the message names, or install a cloudml that reads it.",
    ),
    "CML203": Code(
        "Not readable as YAML",
        "The text is no YAML, or a key occurs twice.",
        "Correct it at the line that the message names.",
    ),
    "CML210": Code(
        "Name used twice",
        "Two steps, parameters, endpoints, monitors, alerts or tags have one name.",
        "Give each a name of its own.",
    ),
    "CML211": Code("Unknown step", "A reference or an `after` names a step that does not exist.", "Correct the name."),
    "CML212": Code("Unknown output", "A reference names an output that the step does not have.", "Correct the name."),
    "CML213": Code(
        "Unknown field", "A reference names a metric or member that the output does not have.", "Correct the name."
    ),
    "CML214": Code(
        "Unknown parameter",
        "A reference names a parameter that the pipeline does not declare.",
        "Declare it, or correct the name.",
    ),
    "CML215": Code(
        "Unknown endpoint, monitor or alert",
        "A step or a monitor names one that the pipeline does not declare.",
        "Declare it, or correct the name.",
    ),
    "CML216": Code(
        "Item outside of its map",
        "A reference to an item stands outside of that map, or names no map.",
        "Move the step into the map's body.",
    ),
    "CML217": Code(
        "Used outside of its block",
        "An output made in a branch, a map or a finally block is used where it may not exist.",
        "Move the step into the block, or collect the outputs of the map.",
    ),
    "CML218": Code(
        "Cycle", "Steps wait for one another; the message gives the path.", "Remove one of the dependencies."
    ),
    "CML219": Code(
        "Types do not fit",
        "A value of one type fills an input of another.",
        "Connect the right output, or correct a type.",
    ),
    "CML220": Code(
        "Finally in the wrong place",
        "A finally block lies inside another block, or holds a map or a condition.",
        "Put it at the top, with plain steps.",
    ),
    "CML221": Code(
        "Wrong source",
        "A step is given something it cannot work on: a deploy without a version, a verify without a deployment.",
        "Connect it to what the hint names.",
    ),
    "CML222": Code(
        "Unknown objective",
        "The objective of a tuning step is no metric of its function.",
        "Name a metric of the function.",
    ),
    "CML223": Code(
        "Wrong search space",
        "An axis has nothing to draw from, draws the wrong type, or has no input.",
        "Correct the axis that the message names.",
    ),
    "CML224": Code(
        "Wrong parameter",
        "Default, type, choices and limits of a parameter contradict one another.",
        "Correct one of them.",
    ),
    "CML225": Code(
        "Wrong arguments",
        "An argument has no input, stands twice, or an input is left unfilled.",
        "Fill each input once; mark inputs with defaults as optional.",
    ),
    "CML226": Code(
        "Unknown error class",
        "A retry names something that is neither an error class nor an exception.",
        "Use `transient`, `timeout`, `memory`, `crash`, `interrupted`, `error`, or an exception's dotted name.",
    ),
    "CML227": Code(
        "Impossible schedule",
        "Cron fields or a time zone that do not exist.",
        "Five fields; a zone of the IANA database.",
    ),
    "CML228": Code(
        "Impossible limit",
        "A threshold or guard lies where its statistic cannot be.",
        "Give a limit within the statistic's range.",
    ),
    "CML229": Code(
        "Function not importable",
        "A function's module or name is none that could be imported.",
        "Write `package.module` and a function's name.",
    ),
    "CML230": Code(
        "Secret in the open",
        "A secret stands in a condition, a message or anywhere else but an argument of a function.",
        "Pass it to a function.",
    ),
    "CML231": Code("Native document twice", "One place has two native documents for one backend.", "Merge them."),
    "CML232": Code(
        "Map over no list",
        "A map goes over something that is no list.",
        "Give it an output or parameter that is a list.",
    ),
    "CML233": Code(
        "Cannot be compared",
        "A condition compares what has no order or equality a backend could decide.",
        "Compare numbers, text or truth values of one type.",
    ),
    "CML234": Code(
        "Message cannot be filled in",
        "Names in braces and arguments are not the same.",
        "Give each `{name}` an argument.",
    ),
    "CML235": Code(
        "Nothing to collect",
        "`collected` stands on a step that is not directly in a map, or inside that map.",
        "Collect after the map, from a step directly in it.",
    ),
    "CML236": Code(
        "Wrong job of a tuning step",
        "The job has another name than its step, or an output that every tuning step has.",
        "Rename it.",
    ),
    "CML250": Code("Unused parameter (warning)", "No step uses the parameter.", "Use it, or remove it."),
    "CML251": Code("Unwatched rollout (warning)", "Traffic moves in steps, and no guard watches them.", "Add a guard."),
    "CML252": Code(
        "Constant condition (warning)", "A condition is made of literals only.", "Compare an output or a parameter."
    ),
    "CML253": Code(
        "Empty condition (warning)", "Neither branch of a condition has steps.", "Remove it, or fill a branch."
    ),
    "CML254": Code("Unused declaration (warning)", "No step uses the endpoint or monitor.", "Use it, or remove it."),
}

BACKEND: dict[str, Code] = {
    "CML300": Code(
        "Unsupported",
        "The backend lacks features that the pipeline needs; each gap has its own line.",
        "See each gap's hint, or use another backend.",
    ),
    "CML301": Code(
        "Feature not supported",
        "The backend cannot do one thing that the pipeline needs.",
        "The hint says what to write instead.",
    ),
    "CML302": Code(
        "Feature emulated (warning)",
        "The backend does it in another way than the provider's own; the plan lists it.",
        "Nothing, if the emulation will do.",
    ),
    "CML310": Code("Backend unusable", "The backend is installed and cannot be used.", "See the message."),
    "CML311": Code(
        "No such backend",
        "No installed distribution offers a backend of that name.",
        "Install the extra that the hint names; `cloudml backends` lists what there is.",
    ),
    "CML312": Code(
        "Packages missing", "A part of cloudml needs packages that are not installed.", "Run the command in the hint."
    ),
    "CML320": Code(
        "Provider refused",
        "A provider refused a call; operation, code and request id are given.",
        "See the provider's code.",
    ),
    "CML330": Code(
        "Wrong setting of a target",
        "A setting of the target in cloudml.toml is missing, unknown, or of another form.",
        "Correct the section that the message names; the hint says what is expected.",
    ),
    "CML331": Code(
        "No machine is large enough",
        "No instance type of the provider has the cores, memory and devices that are asked for.",
        "Ask for less, or spread the work over several steps.",
    ),
    "CML332": Code(
        "Too many inputs or outputs",
        "A job of the provider reads or writes only so many folders.",
        "Put several values into one output, or let steps share a job with `ml.group`.",
    ),
    "CML333": Code(
        "Blocks cannot be nested so",
        "The provider has no such block inside such another.",
        "Go over one list of pairs, or let a function work on the inner list.",
    ),
    "CML334": Code(
        "Cannot be skipped alone",
        "After a branch the pipeline goes on, and there the provider can skip single jobs, but not this step.",
        "Let nothing wait for the condition, and use no map or `on_exit` around it; or move the step.",
    ),
    "CML335": Code(
        "Name taken by a part",
        "A step becomes several parts on the provider, and one of them would have the name of another step.",
        "Rename the step that the message names.",
    ),
    "CML336": Code(
        "Parameter too large",
        "The provider takes shorter values, or fewer parameters.",
        "Put large values into a file of the project, or several parameters into one of type json.",
    ),
    "CML337": Code(
        "File out of reach",
        "An input is a file of this machine, which a job in the cloud cannot see.",
        "Upload it and give its URI, or make it a parameter.",
    ),
    "CML338": Code(
        "Refused by the provider's own model",
        "The request would break the provider's published description of it: a member, a pattern, a range.",
        "See the provider's reference for the member that is named; a native option may have put it there.",
    ),
    "CML339": Code(
        "Limit of the provider",
        "The pipeline as a whole is larger (or smaller) than the provider allows.",
        "Split the pipeline, or let steps share jobs with `ml.group`.",
    ),
    "CML340": Code(
        "No time limit for a whole run",
        "The provider limits jobs, not runs.",
        "Give the steps timeouts, and leave the pipeline's out for this target.",
    ),
    "CML341": Code(
        "Schedule cannot be expressed",
        "The provider's schedules are coarser, or take no parameters that must be given.",
        "See the hint: whole minutes, either days of the month or of the week, defaults for parameters.",
    ),
    "CML342": Code(
        "Search space cannot be expressed",
        "The provider's tuning takes fewer trials or choices.",
        "Use fewer, or another strategy.",
    ),
    "CML343": Code(
        "Reference cannot be expressed",
        "A value is read where the provider, or a job on it, has no such value.",
        "See the message: it names what there is.",
    ),
    "CML345": Code(
        "Rollout cannot be expressed",
        "The provider moves traffic in other steps, for other times, or by whole machines of which there are too few.",
        "See the hint: it says which share, time or number of instances is right.",
    ),
    "CML346": Code(
        "Guard cannot be expressed",
        "The provider's alarms see no such metric, compare no two versions, or would ring too late.",
        "See the hint: another metric, limit, window or bake time.",
    ),
    "CML347": Code(
        "Endpoint cannot be expressed",
        "The provider captures whole percents, scales between one machine and more by a target, limits the time of an "
        "answer, or knows no such setting.",
        "See the hint: it says which number or name is right.",
    ),
    "CML348": Code(
        "Address of an alert that cannot be used",
        "The provider sends to mail addresses and https addresses only.",
        "Correct the address; one that must stay secret is given as `ml.secret(...)`.",
    ),
    "CML349": Code(
        "Monitor cannot be expressed",
        "The monitor asks for what the provider, or the chosen engine, has not; or nothing is there to look at.",
        "See the hint: capture requests at the endpoint, take the portable engine, or leave the limit out.",
    ),
    "CML350": Code(
        "A portable search cannot do this",
        "With tuning = 'portable' one machine runs all trials, each in one process.",
        "Leave distribution= out, or set tuning = 'native' for this target.",
    ),
}

PROJECT: dict[str, Code] = {
    "CML000": Code("Unclassified", "An error of cloudml without a code of its own.", "See the message."),
    "CML401": Code(
        "Wrong project",
        "`cloudml.toml`, or what it points to, is missing or wrong.",
        "Correct the line that the message names.",
    ),
    "CML402": Code(
        "Not found", "There is no run, step, model or endpoint of that name.", "Use one of the names in the hint."
    ),
    "CML403": Code(
        "Wrong parameter of a run",
        "A parameter given to a run is unknown, missing, of another type or out of range.",
        "Give it as the hint says.",
    ),
    "CML404": Code(
        "Pipeline cannot be loaded",
        "The module or the attribute that `pipeline` names cannot be imported.",
        "Correct the import error that the message shows.",
    ),
    "CML410": Code(
        "Refused by a rule",
        "A rule forbids it now: a stale plan, an unapproved version, an active run.",
        "The hint says how it becomes legal.",
    ),
    "CML420": Code("Wrong usage", "A command was called with wrong arguments.", "See `cloudml COMMAND --help`."),
    "CML421": Code(
        "Cannot create a project", "The directory is in use, or cannot be written.", "Name a new directory."
    ),
    "CML498": Code("Interrupted", "The command was interrupted; its state resumes.", "`cloudml resume`."),
    "CML499": Code(
        "Defect in cloudml", "An error that cloudml did not foresee.", "Report it with the log that the message names."
    ),
}

RUN: dict[str, Code] = {
    "CML500": Code(
        "Run failed",
        "A run ended otherwise than succeeded.",
        "`cloudml show` gives each step's reason, `cloudml logs` its output; `cloudml resume` goes on.",
    ),
    "CML501": Code(
        "State unusable",
        "The local state is damaged, full, read-only or in use.",
        "See the hint: free space, permissions, or the other command.",
    ),
    "CML502": Code(
        "Corrupt artifact",
        "The content of an artifact is not what its digest says.",
        "`cloudml gc --verify` removes it; the next run makes it again.",
    ),
    "CML520": Code(
        "Illegal endpoint name", "The name is no name of an endpoint.", "A letter, then letters, digits, `_`, `-`."
    ),
    "CML521": Code("No such endpoint", "No endpoint of that name is known here.", "`cloudml endpoints` lists them."),
    "CML522": Code(
        "New version not ready",
        "The new model server did not become ready; the version in service stays.",
        "Read the log that the message names, and deploy again.",
    ),
    "CML523": Code("Endpoint in use", "Another command is working on the endpoint.", "Wait for it, or stop it."),
    "CML524": Code(
        "Router unreachable",
        "The endpoint's router did not start, does not answer, or died.",
        "Read its log; start the endpoint again.",
    ),
    "CML525": Code(
        "Switch not confirmed", "After the switch the endpoint serves something else than it should.", "Deploy again."
    ),
    "CML526": Code("Nothing answers", "The endpoint serves nothing now.", "Deploy to it, or start it."),
    "CML527": Code("Damaged record", "The endpoint's record cannot be read.", "Remove the endpoint and deploy again."),
    "CML528": Code(
        "Endpoint folder unusable",
        "The endpoint's folder, lock or socket cannot be used.",
        "Check permissions and free space; shorten the path.",
    ),
    "CML529": Code("Never served", "The endpoint never served a version, so it cannot be started.", "Deploy to it."),
    "CML530": Code(
        "Stale plan",
        "The code, or the world, is not what the plan was made for. Nothing was changed.",
        "Make the plan anew with `cloudml plan`, look at it, and apply that one.",
    ),
    "CML531": Code(
        "Somebody else applies",
        "Another apply of the same pipeline is going on, or has written since this one began.",
        "Wait for it to end, then apply again: what stands already is left as it is.",
    ),
    "CML532": Code(
        "Place of another target",
        "The place that the target names belongs to another project or target of cloudml. Nothing was changed.",
        "Give each project and each target a place of its own in cloudml.toml.",
    ),
    "CML533": Code("Not deployed", "What is asked for needs a deployment that is not there.", "`cloudml apply` first."),
    "CML538": Code(
        "Version that cannot be used",
        "The registry could not make the version, removes it, or has no record of its registration.",
        "Run the pipeline again: it registers the model anew.",
    ),
    "CML539": Code(
        "No exported version",
        "The folder does not hold what an export from the same kind of registry lays down.",
        "Export the version anew, with the same version of cloudml.",
    ),
    "CML534": Code(
        "Not cloudml's",
        "Something with the name that cloudml would use is there already, and belongs to somebody else.",
        "Rename one of the two, or remove the other. cloudml never takes over what it did not make.",
    ),
    "CML535": Code(
        "Apply broken off",
        "A change was refused or failed; what was done before it stands, what comes after it was not begun.",
        "Mend what the message names, then apply again: it goes on from there.",
    ),
    "CML540": Code(
        "Nothing to go back to",
        "The endpoint served nothing before, or its earlier configuration or model was removed.",
        "Deploy the version that is wanted: run its pipeline, or `cloudml promote` it first.",
    ),
    "CML541": Code(
        "Endpoint not brought to what was asked",
        "The change was refused, failed, or was taken back by its guards; the message says what serves now.",
        "See the message and `cloudml logs ENDPOINT`, then repair the version, or take another one.",
    ),
    "CML542": Code(
        "Monitor not brought to what was asked",
        "The provider's own monitoring schedule was refused, failed, or did not come to an end.",
        "See the message; the same command again goes on.",
    ),
    "CML544": Code(
        "No container engine",
        "An image is to be built, and no container engine of this machine answers.",
        "Install or start Docker, Podman or Finch, or build the Dockerfile of `cloudml build --print` elsewhere.",
    ),
    "CML545": Code(
        "Image cannot be built",
        "There is nothing to bake, the engine failed, or the registry does not take the image.",
        "See the message and the engine's last words in the hint.",
    ),
    "CML546": Code(
        "Setting cannot be written",
        "A line of cloudml.toml was to be changed, and it is not certain that nothing else would change.",
        "Write the line that the hint shows yourself.",
    ),
    "CML547": Code(
        "The mock ends here",
        "A mock of AWS was asked for an operation that it does not serve, or whose answer would be made up.",
        "Use `cloudml mock sagemaker`, which runs pipelines, jobs and endpoints, or an account.",
    ),
}

MOCK: dict[str, Code] = {
    "CML600": Code(
        "Wrong option of a mock cloud",
        "A switch, a fault rule, an image rule or another option names something that the mock does not have.",
        "See the hint: it lists what there is, or the form to write.",
    ),
}

SECTIONS: tuple[tuple[str, str, dict[str, Code]], ...] = (
    ("Definition", "Refused while the pipeline is being defined, with the author's file and line.", AUTHORING),
    ("Spec", "Found in a document, whoever wrote it; all at once.", SPEC),
    ("Backend", "What a backend lacks or refuses.", BACKEND),
    ("Project and command line", "The project, its names, and how commands are called.", PROJECT),
    ("Runs and state", "What happens to runs, artifacts and endpoints.", RUN),
    (
        "Mock clouds",
        "How a mock cloud is started and told what to do. What it refuses has the cloud's own codes.",
        MOCK,
    ),
)

CODES: dict[str, Code] = {code: entry for _, _, table in SECTIONS for code, entry in table.items()}


def render() -> str:
    """The reference page, in Markdown."""
    lines = [
        "# Error codes",
        "",
        "Every error of cloudml has a code that keeps its meaning in every release. This page is made from",
        "`cloudml/errors/codes.py`.",
    ]
    for title, about, table in SECTIONS:
        lines += ["", f"## {title}", "", about]
        for code, entry in sorted(table.items()):
            lines += ["", f"### {code} · {entry.title}", "", entry.meaning, "", f"**What to do.** {entry.remedy}"]
    return "\n".join(lines) + "\n"
