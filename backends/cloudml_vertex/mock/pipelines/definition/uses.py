"""Components against their executors: placeholders that name what is not there are refused before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cloudml_vertex.mock.pipelines.definition.model import Component, Container, FromInput, Importer
from cloudml_vertex.mock.pipelines.definition.placeholders import PlaceholderError, Reference, references
from cloudml_vertex.mock.pipelines.definition.problems import Problems, within
from cloudml_vertex.mock.pipelines.definition.structures import inputs_asked, texts
from cloudml_vertex.mock.pipelines.definition.values import Value

Executor = Container | Importer


def check_executor(component: Component, executors: Mapping[str, Executor], path: str, problems: Problems) -> None:
    """A component that runs an executor: it exists, and what it refers to is in the component's interface."""
    label = component.executor or ""
    work = executors.get(label)
    if work is None:
        problems.add(f"{path}.executorLabel", f"there is no executor {label!r} in deploymentSpec")
    elif isinstance(work, Importer):
        _importer(component, work, path, problems)
    else:
        _container(component, work, problems)


def check_defaults(component: Component, path: str, problems: Problems) -> None:
    """Placeholders inside of default values."""
    for name, declared in component.parameters.items():
        where = within(f"{path}.inputDefinitions.parameters", name)
        _check(list(_inside(declared.default)), component, f"{where}.defaultValue", problems)


def _importer(component: Component, work: Importer, path: str, problems: Problems) -> None:
    where = f"{within('deploymentSpec.executors', work.label)}.importer"
    if isinstance(work.uri, FromInput) and work.uri.name not in component.parameters:
        problems.add(f"{where}.artifactUri", f"component {component.name!r} has no input parameter {work.uri.name!r}")
    if len(component.output_artifacts) != 1 or component.output_parameters:
        problems.add(f"{path}.outputDefinitions", "the component of an importer gives one artifact and nothing else")
    _check(list(_inside(dict(work.metadata))), component, f"{where}.metadata", problems)


def _container(component: Component, work: Container, problems: Problems) -> None:
    where = f"{within('deploymentSpec.executors', work.label)}.container"
    fields = {
        "image": (work.image,),
        **{f"command[{number}]": (text,) for number, text in enumerate(work.command)},
        **{f"args[{number}]": (text,) for number, text in enumerate(work.args)},
        **{f"env[{number}].value": (value,) for number, (_, value) in enumerate(work.env)},
    }
    known = {*component.parameters, *component.artifacts}
    for field, (text,) in fields.items():
        if "{" not in text:
            continue
        try:
            several = list(texts(text))
        except PlaceholderError as error:
            problems.add(f"{where}.{field}", str(error))
            continue
        for name in inputs_asked(text):
            if name not in known:
                problems.add(f"{where}.{field}", f"IfPresent: component {component.name!r} has no input {name!r}")
        _check(several, component, f"{where}.{field}", problems)


def _check(several: list[str], component: Component, where: str, problems: Problems) -> None:
    try:
        for found in references(several):
            what = _missing(found, component)
            if what:
                problems.add(where, f"{found.text}: component {component.name!r} has no {what} {found.key!r}")
    except PlaceholderError as error:
        problems.add(where, str(error))


def _missing(found: Reference, component: Component) -> str:
    known: dict[str, tuple[Mapping[str, object], str]] = {
        "input": (component.parameters, "input parameter"),
        "input-artifact": (component.artifacts, "input artifact"),
        "output-file": (component.output_parameters, "output parameter"),
        "output-artifact": (component.output_artifacts, "output artifact"),
    }
    if found.form not in known:
        return ""
    there, what = known[found.form]
    return "" if found.key in there else what


def _inside(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        items = [*value, *value.values()] if isinstance(value, dict) else value
        for item in items:
            yield from _inside(item)
