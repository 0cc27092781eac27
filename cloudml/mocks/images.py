"""What stands for a container image on this machine: rules `PATTERN=COMMAND`, the first that matches an image wins."""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudml.errors import NotFound, Refused

_FORM = "--image 'PATTERN=COMMAND'"
_INTERPRETER = re.compile(r"python(3(\.\d+)?)?")


@dataclass(frozen=True)
class Resolved:
    """What to run for an image."""

    argv: tuple[str, ...]
    path_prefix: str
    """A folder that goes before PATH; empty when none does."""
    rule: str
    """The rule that matched, as it was given."""


@dataclass(frozen=True)
class _Rule:
    text: str
    pattern: str
    folder: str
    """`bin` of an environment; empty for a command line."""
    words: tuple[str, ...]


class ImageMap:
    """Rules for images.

    PATTERN is a shell pattern over the whole image URI, or the name of its repository without registry and tag.
    COMMAND is a folder with `bin` in it, such as a virtual environment: the container's own command is kept and its
    programs are found there first. Or it is a command line: it stands before the container's words when the container
    is run by its image's own entrypoint. An entrypoint that a request gives is kept; of it only a Python interpreter
    is replaced, by that of the environment or command line.
    """

    def __init__(self, rules: Sequence[str] = (), defaults: Sequence[str] = (), path: str | None = None) -> None:
        """`rules` of the user go before `defaults`; `path` is the PATH that programs must be found in, by default this
        process's. Raises Refused for a rule of another form."""
        self._rules = tuple(_parse(text) for text in (*rules, *defaults))
        self._path = os.environ.get("PATH", os.defpath) if path is None else path

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the rules name by a path that is not there. No mistake for certain: a job's own files may bring it."""
        programs = [(rule.text, rule.words[0]) for rule in self._rules if rule.words and "/" in rule.words[0]]
        return tuple(
            f"{program} of the image rule {text!r} is not on this machine"
            for text, program in programs
            if not Path(program).exists()
        )

    def resolve(
        self, image: str, entrypoint: Sequence[str] = (), arguments: Sequence[str] = (), default: Sequence[str] = ()
    ) -> Resolved:
        """The command for a container of `image`.

        `entrypoint` and `arguments` are those of the request, as a container engine takes them: an entrypoint replaces
        the image's own, arguments follow either. `default` are the arguments when a request gives neither. Raises
        NotFound when no rule matches, when there is nothing to run, and when the program is not on this machine.
        """
        rule = next((rule for rule in self._rules if _matches(rule.pattern, image)), None)
        if rule is None:
            raise NotFound(
                f"nothing on this machine stands for the image {image}",
                hint=f"map it to an environment or a command: {_FORM}, such as "
                f"{_example(image, '/path/to/venv')} or {_example(image, 'python -m trainer')}",
            )
        words = (*entrypoint, *arguments) if entrypoint else (*rule.words, *(arguments or default))
        if not words:
            raise NotFound(
                f"nobody says what a container of {image} runs: the request has no entrypoint, and the rule "
                f"{rule.text!r} names only an environment",
                hint=f"give the request an entrypoint, or map the image to a command: {_example(image, 'COMMAND')}",
            )
        argv = (self._interpreter(rule) or words[0], *words[1:]) if _is_interpreter(words[0]) else words
        self._require(image, rule, argv[0])
        return Resolved(argv, rule.folder, rule.text)

    def _interpreter(self, rule: _Rule) -> str:
        """The Python of a rule; empty when there is none."""
        if rule.folder:
            return shutil.which("python3", path=rule.folder) or shutil.which("python", path=rule.folder) or ""
        if _is_interpreter(rule.words[0]):
            return rule.words[0]
        return next((name for name in ("python3", "python") if shutil.which(name, path=self._path)), "")

    def _require(self, image: str, rule: _Rule, program: str) -> None:
        """A program with a slash may lie in a mount, so only others are looked for before the job starts."""
        path = os.pathsep.join(filter(None, (rule.folder, self._path)))
        if "/" not in program and shutil.which(program, path=path) is None:
            raise NotFound(
                f"the image {image} runs {program!r}, which is neither in PATH nor in what {rule.text!r} stands for",
                hint=f"map the image to an environment that has it, or to another command: {_FORM}, such as "
                f"{_example(image, 'python -m trainer')}",
            )


def repository(image: str) -> str:
    """The name of an image's repository: its URI without registry, tag and digest.

    The first part is a registry when it has a full stop or a colon, or is `localhost`, as for every container engine.
    """
    name = image.partition("@")[0]
    first, slash, rest = name.partition("/")
    if slash and (first == "localhost" or {".", ":"} & set(first)):
        name = rest
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(":")[0]


def _matches(pattern: str, image: str) -> bool:
    return fnmatch.fnmatchcase(image, pattern) or pattern == repository(image)


def _is_interpreter(program: str) -> bool:
    return _INTERPRETER.fullmatch(os.path.basename(program)) is not None


def _example(image: str, command: str) -> str:
    return f"--image {shlex.quote(f'{repository(image)}={command}')}"


def _parse(text: str) -> _Rule:
    pattern, equals, command = (part.strip() for part in text.partition("="))
    if not (pattern and equals and command):
        raise Refused(f"{text!r} is no rule for images", hint=f"write {_FORM}, such as --image 'trainer=/path/to/venv'")
    folder = Path(command).expanduser().absolute()
    if folder.is_dir():
        if not (folder / "bin").is_dir():
            raise Refused(f"{command} has no folder `bin`, so it is no environment", hint=f"write {_FORM}")
        return _Rule(text, pattern, str(folder / "bin"), ())
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise Refused(f"the command of {text!r} cannot be read: {error}", hint="close every quote") from error
    return _Rule(text, pattern, "", words)
