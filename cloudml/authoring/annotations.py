"""From an annotation to the dotted name of its type, without importing what the author's module has not imported."""

from __future__ import annotations

import ast
import functools
import sys
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

Role: TypeAlias = Literal["value", "in", "out", "param"]

_ALIASES = {
    "collections.abc.Sequence": "list",
    "collections.abc.Iterable": "list",
    "collections.abc.Collection": "list",
    "collections.abc.Mapping": "dict",
    "typing.List": "list",
    "typing.Sequence": "list",
    "typing.Iterable": "list",
    "typing.Dict": "dict",
    "typing.Mapping": "dict",
    "typing.Tuple": "tuple",
    "os.PathLike": "pathlib.Path",
}
_ROLES: dict[str, Role] = {"In": "in", "Out": "out", "Param": "param"}


class Unresolved(Exception):
    """A name in an annotation that the module neither defines nor imports."""


class Annotation(NamedTuple):
    """`type` as the spec writes it, the role of its wrapper (`In`, `Out`, `Param`), and the class, if it is at hand."""

    type: str
    role: Role = "value"
    object: Any = None


def resolve(annotation: Any, namespace: Mapping[str, Any], module: str) -> Annotation:
    """What an annotation says. Raises Unresolved, naming the part that is unknown."""
    if not isinstance(annotation, str):
        return _from_object(annotation, namespace, module)
    try:
        evaluated = eval(annotation, dict(namespace))  # noqa: S307 - the author's own code, as typing.get_type_hints does
    except Exception:  # noqa: BLE001 - whatever the author's code raises, the import table may still know
        return _from_ast(ast.parse(annotation.strip(), mode="eval").body, namespace, module)
    return _from_object(evaluated, namespace, module)


def public_name(cls: type) -> str:
    """The shortest dotted name under which the class is reachable among the loaded modules."""
    qualified = cls.__qualname__
    if cls.__module__ == "builtins":
        return "None" if cls is type(None) else qualified
    head = qualified.partition(".")[0]
    parts = cls.__module__.split(".")
    for count in range(1, len(parts)):
        prefix = ".".join(parts[:count])
        found = vars(sys.modules.get(prefix, types)).get(head)
        if found is None and prefix == "cloudml":
            found = getattr(sys.modules[prefix], head, None)
        if found is not None and _descend(found, qualified) is cls:
            return f"{prefix}.{qualified}"
    return f"{cls.__module__}.{qualified}"


def _descend(found: Any, qualified: str) -> Any:
    return functools.reduce(lambda value, name: getattr(value, name, None), qualified.split(".")[1:], found)


@functools.cache
def _markers() -> dict[str, Any]:
    from cloudml.authoring.parameters import Param
    from cloudml.runtime.handles import In, Out

    return {"in": In, "out": Out, "param": Param}


def _role_of(annotation: Any) -> Role | None:
    """The role of a subscripted `In`, `Out` or `Param`."""
    metadata = getattr(annotation, "__metadata__", None)
    for role, marker in _markers().items():
        same = metadata is not None and metadata == getattr(marker, "__metadata__", ())
        if same or typing.get_origin(annotation) is marker:
            return typing.cast("Role", role)
    return None


def _from_object(  # noqa: C901, PLR0911 - one line for each form that an annotation can have
    annotation: Any, namespace: Mapping[str, Any], module: str
) -> Annotation:
    if annotation is None or annotation is type(None):
        return Annotation("None", object=type(None))
    if annotation is Any:
        return Annotation("Any")
    if isinstance(annotation, (str, typing.ForwardRef)):
        text = annotation if isinstance(annotation, str) else annotation.__forward_arg__
        return resolve(text, namespace, module)
    role = _role_of(annotation)
    if role is not None:
        inner = _from_object(typing.get_args(annotation)[0], namespace, module)
        return inner._replace(role=role)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _from_object(arguments[0], namespace, module)
    if origin in (typing.Union, types.UnionType):
        return Annotation(" | ".join(_from_object(one, namespace, module).type for one in arguments))
    if origin is Literal:
        return Annotation(" | ".join(dict.fromkeys(public_name(type(one)) for one in arguments)))
    if origin is not None:
        inner_names = ["..." if one is ... else _from_object(one, namespace, module).type for one in arguments]
        return Annotation(f"{_alias(public_name(origin))}[{', '.join(inner_names)}]", object=origin)
    if isinstance(annotation, type):
        return Annotation(_alias(public_name(annotation)), object=annotation)
    name = getattr(annotation, "__qualname__", None) or getattr(annotation, "_name", None)
    if isinstance(name, str) and hasattr(annotation, "__module__"):
        return Annotation(_alias(f"{annotation.__module__}.{name}"))
    raise Unresolved(repr(annotation))


def _alias(name: str) -> str:
    return _ALIASES.get(name, name)


def _from_ast(node: ast.expr, namespace: Mapping[str, Any], module: str) -> Annotation:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return resolve(node.value, namespace, module)
    if isinstance(node, ast.Constant):
        return Annotation("None" if node.value is None else "...")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = (_from_ast(node.left, namespace, module), _from_ast(node.right, namespace, module))
        return Annotation(" | ".join(side.type for side in sides))
    if isinstance(node, ast.Subscript):
        return _subscript(node, namespace, module)
    if isinstance(node, (ast.Name, ast.Attribute)):
        return _named(node, namespace, module)
    raise Unresolved(ast.unparse(node))


def _subscript(node: ast.Subscript, namespace: Mapping[str, Any], module: str) -> Annotation:
    base = _dotted(node.value, namespace, module)
    inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    package, _, last = base.rpartition(".")
    if package.partition(".")[0] == "cloudml" and last in _ROLES:
        return _from_ast(inner[0], namespace, module)._replace(role=_ROLES[last])
    if base == "typing.Annotated":
        return _from_ast(inner[0], namespace, module)
    if base == "typing.Optional":
        return Annotation(f"{_from_ast(inner[0], namespace, module).type} | None")
    members = [_from_ast(one, namespace, module).type for one in inner]
    return Annotation(" | ".join(members) if base == "typing.Union" else f"{_alias(base)}[{', '.join(members)}]")


def _dotted(node: ast.expr, namespace: Mapping[str, Any], module: str) -> str:
    """The dotted name of what stands before `[`; the wrappers `In`, `Out`, `Param` are known by identity."""
    try:
        found = eval(ast.unparse(node), dict(namespace))  # noqa: S307 - the author's own code
    except Exception:  # noqa: BLE001 - whatever the author's code raises, the import table may still know
        return _named(node, namespace, module).type
    for role, marker in _markers().items():
        if found is marker:
            return f"cloudml.{role.capitalize()}"
    if isinstance(found, type):
        return public_name(found)
    return f"typing.{getattr(found, '_name', None) or getattr(found, '__name__', '?')}"


def _named(node: ast.expr, namespace: Mapping[str, Any], module: str) -> Annotation:
    text = ast.unparse(node)
    try:
        found = eval(text, dict(namespace))  # noqa: S307 - the author's own code
    except Exception:  # noqa: BLE001 - whatever the author's code raises, the import table may still know
        head, _, rest = text.partition(".")
        full = imports(module).get(head)
        if full is None:
            raise Unresolved(text) from None
        return _loaded(f"{full}.{rest}" if rest else full)
    return _from_object(found, namespace, module)


def _loaded(dotted: str) -> Annotation:
    """A name known from an import statement alone; the class itself when its module happens to be loaded."""
    package, _, name = dotted.rpartition(".")
    found = vars(sys.modules[package]).get(name) if package in sys.modules else None
    if isinstance(found, type):
        return Annotation(_alias(public_name(found)), object=found)
    return Annotation(_alias(dotted))


@functools.cache
def imports(module: str) -> Mapping[str, str]:
    """Name -> dotted name for every import statement of a module, those under `if TYPE_CHECKING` included."""
    loaded = sys.modules.get(module)
    file = getattr(loaded, "__file__", None)
    if file is None:
        return {}
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return {}
    package = getattr(loaded, "__package__", None) or module.rpartition(".")[0]
    table: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                table[one.asname or one.name.partition(".")[0]] = one.name if one.asname else one.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(node, package)
            table.update({one.asname or one.name: f"{source}.{one.name}" for one in node.names})
    return table


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if node.level == 0:
        return node.module or ""
    parts = package.split(".")
    stem = ".".join(parts[: len(parts) - node.level + 1])
    return f"{stem}.{node.module}" if node.module else stem
