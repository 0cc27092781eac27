"""The code of a step: the files of the project that its function can reach by imports, and what they hash to.

Read from the syntax tree, nothing is imported. Imports inside functions count; packages bring their `__init__`.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cloudml.errors import ProjectError

LOCK_FILES = ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "requirements.txt")


@dataclass(frozen=True)
class FunctionSource:
    """The import closure of one function. `files` maps paths relative to the root to sha256 hex digests.

    `preload` names the modules that the function imports when it runs: importing them early is safe and saves time.
    """

    digest: str
    files: tuple[tuple[str, str], ...]
    preload: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sources:
    """The closures of all functions of a pipeline, by `module:name`, and the digest of the project's lock files."""

    root: Path
    functions: Mapping[str, FunctionSource]
    lock: str

    def of(self, function: str) -> FunctionSource:
        """The closure of one function."""
        return self.functions[function]


class SourceIndex:
    """Reads each module of a project once. Raises ProjectError for a function that is not in the project."""

    def __init__(self, root: Path, project: Path | None = None) -> None:
        """`root` is where modules are found, `project` where lock files lie (default: the same folder)."""
        self.root = root.resolve()
        self._project = self.root if project is None else project
        self._modules: dict[Path, _Module] = {}
        self._imports: dict[Path, tuple[Path, ...]] = {}

    def sources(self, functions: Iterable[tuple[str, tuple[str, ...]]]) -> Sources:
        """Closures for (`module:name`, extra file patterns) pairs; patterns of the same function are merged."""
        patterns: dict[str, set[str]] = {}
        for function, extra in functions:
            patterns.setdefault(function, set()).update(extra)
        closures = {function: self._source(function, sorted(extra)) for function, extra in patterns.items()}
        return Sources(self.root, closures, self._lock())

    def _source(self, function: str, patterns: list[str]) -> FunctionSource:
        module_name, _, name = function.partition(":")
        start = self._locate(module_name)
        if start is None:
            raise ProjectError(
                f"the module {module_name!r} of step function {function!r} is not a file of the project",
                where=str(self.root),
                hint="put the function into a module below the project's root, so that it can travel to the step",
            )
        files = {path: module.digest for path, module in self._closure(start)}
        for pattern in patterns:
            files.update(self._matching(pattern))
        listed = tuple(sorted((path.relative_to(self.root).as_posix(), digest) for path, digest in files.items()))
        digest = hashlib.sha256(json.dumps(listed).encode()).hexdigest()
        return FunctionSource(digest, listed, self._module(start).imports_of(name))

    def _closure(self, start: Path) -> Iterator[tuple[Path, _Module]]:
        seen: set[Path] = set()
        stack = [start]
        while stack:
            path = stack.pop()
            if path in seen:
                continue
            seen.add(path)
            yield path, self._module(path)
            stack.extend(self._reached(path))

    def _reached(self, path: Path) -> tuple[Path, ...]:
        """The files of the project that importing this one reads too, directly."""
        if path not in self._imports:
            named = map(self._locate, self._module(path).imported(self._package_of(path)))
            found = (*self._packages(path), *(one for one in named if one is not None))
            self._imports[path] = tuple(dict.fromkeys(found))
        return self._imports[path]

    def _packages(self, path: Path) -> Iterator[Path]:
        for parent in path.parents:
            if parent == self.root or self.root not in parent.parents:
                return
            init = parent / "__init__.py"
            if init.is_file():
                yield init

    def _package_of(self, path: Path) -> tuple[str, ...]:
        """The package that relative imports in this file start from."""
        return path.relative_to(self.root).parent.parts

    def _locate(self, module: str) -> Path | None:
        if not all(part.isidentifier() for part in module.split(".")):
            return None
        base = self.root.joinpath(*module.split("."))
        for candidate in (base / "__init__.py", base.with_name(base.name + ".py")):  # as Python looks for them
            if candidate.is_file():
                return candidate
        return None

    def _module(self, path: Path) -> _Module:
        if path not in self._modules:
            self._modules[path] = _Module.read(path)
        return self._modules[path]

    def _matching(self, pattern: str) -> Iterator[tuple[Path, str]]:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise ProjectError(f"files={pattern!r} leaves the project", where=str(self.root))
        found = [path for path in self.root.glob(pattern) if path.is_file()]
        if not found:
            raise ProjectError(
                f"files={pattern!r} matches nothing",
                where=str(self.root),
                hint="the pattern starts at the project's root",
            )
        for path in found:
            yield path, hashlib.sha256(path.read_bytes()).hexdigest()

    def _lock(self) -> str:
        total = hashlib.sha256()
        for name in LOCK_FILES:
            path = self._project / name
            if path.is_file():
                total.update(name.encode() + b"\0" + path.read_bytes())
        return total.hexdigest()


@dataclass(frozen=True)
class _Module:
    digest: str
    tree: ast.Module

    @classmethod
    def read(cls, path: Path) -> _Module:
        content = path.read_bytes()
        try:
            tree = ast.parse(content, filename=str(path))
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None) or 1
            raise ProjectError(f"not valid Python: {error}", where=f"{path}:{line}") from None
        return cls(hashlib.sha256(content).hexdigest(), tree)

    def imported(self, package: tuple[str, ...]) -> Iterator[str]:
        """Every module name that any import statement of the file may mean."""
        for node in ast.walk(self.tree):
            yield from _names(node, package)

    def imports_of(self, function: str) -> tuple[str, ...]:
        """Modules imported inside a function and inside the functions of the same file that it mentions."""
        defined = {
            node.name: node for node in self.tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        }
        found: dict[str, None] = {}
        seen: set[str] = set()
        stack = [function]
        while stack:
            name = stack.pop()
            if name in seen or name not in defined:
                continue
            seen.add(name)
            for node in ast.walk(defined[name]):
                if isinstance(node, ast.Import):
                    found.update((alias.name, None) for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found[node.module] = None
                elif isinstance(node, ast.Name):
                    stack.append(node.id)
        return tuple(found)


def _names(node: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield from _prefixes(alias.name)
    elif isinstance(node, ast.ImportFrom):
        base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
        module = ".".join(part for part in (base, node.module or "") if part)
        if module:
            yield from _prefixes(module)
        for alias in node.names:
            yield f"{module}.{alias.name}" if module else alias.name


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        yield ".".join(parts[:end])
