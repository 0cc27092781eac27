"""Can an output of one type feed an input of another? Told by name alone: nothing is imported."""

from __future__ import annotations

import sys

from cloudml.runtime.codecs.names import UNION, TypeName, parse_type_name

ANYTHING = frozenset({"Any", "object"})
HANDLE_NAMES = frozenset({"cloudml.Dataset", "cloudml.File", "cloudml.Model", "cloudml.Report", "pathlib.Path"})
FILES = frozenset({"cloudml.File", "pathlib.Path"})
FRAMES = frozenset({"pandas.DataFrame", "polars.DataFrame", "polars.LazyFrame", "pyarrow.Table"})
TABLES = FRAMES | {"pandas.Series"}
LISTS = frozenset({"Collection", "Iterable", "Sequence", "list", "tuple"})
DICTS = frozenset({"Mapping", "MutableMapping", "dict"})
SCALARS = frozenset({"None", "bool", "bytes", "complex", "float", "int", "str"})
ARRAYS = frozenset({"numpy.ndarray"})
WIDER: dict[str, frozenset[str]] = {"int": frozenset({"float"}), "bool": frozenset()}
ESTIMATOR_LIBRARIES = ("catboost", "imblearn", "lightgbm", "sklearn", "xgboost")
ESTIMATOR_BASE = "sklearn.base"
KNOWN = HANDLE_NAMES | TABLES | LISTS | DICTS | SCALARS | ARRAYS


def type_accepts(producer_type: str, consumer_type: str) -> bool:
    """True when an output of `producer_type` can feed an input of `consumer_type`.

    Tables are interchangeable between polars, pandas and pyarrow; an int serves as a float; an estimator serves as
    any class of `sklearn.base`; handles must be the same (File and Path are); `Any` and `object` take every value.

    Raises:
        ValueError: one of the names is malformed.
    """
    return _accepts(parse_type_name(producer_type), parse_type_name(consumer_type))


def _accepts(producer: TypeName, consumer: TypeName) -> bool:  # noqa: PLR0911 - one rule a line
    if producer.base == UNION:
        return all(_accepts(member, consumer) for member in producer.args)
    if consumer.base == UNION:
        return any(_accepts(producer, member) for member in consumer.args)
    if producer.base in HANDLE_NAMES or consumer.base in HANDLE_NAMES:
        return producer.base == consumer.base or {producer.base, consumer.base} <= FILES
    if consumer.base in ANYTHING or producer.base in ANYTHING:
        return True
    if producer.base in LISTS and consumer.base in LISTS:
        return _lists_accept(producer, consumer)
    if producer.base in DICTS and consumer.base in DICTS:
        return _pairwise(producer.args, consumer.args)
    if producer.base == consumer.base:
        return producer.base in ARRAYS or _pairwise(producer.args, consumer.args)
    if producer.base in TABLES and consumer.base in FRAMES:
        return True
    return consumer.base in WIDER.get(producer.base, ()) or _is_subclass(producer.base, consumer.base)


def _pairwise(producer: tuple[TypeName, ...], consumer: tuple[TypeName, ...]) -> bool:
    """Parameters fit one by one; a side that leaves them out accepts and gives anything."""
    if not producer or not consumer:
        return True
    return len(producer) == len(consumer) and all(map(_accepts, producer, consumer))


def _lists_accept(producer: TypeName, consumer: TypeName) -> bool:
    if not producer.args or not consumer.args:
        return True
    made, made_length = _elements(producer)
    wanted, wanted_length = _elements(consumer)
    if wanted_length is None:
        return all(_accepts(element, wanted[0]) for element in made)
    # A list has no fixed length, so it cannot promise to fill a tuple that has one.
    return made_length == wanted_length and all(map(_accepts, made, wanted))


def _elements(name: TypeName) -> tuple[tuple[TypeName, ...], int | None]:
    """The types of the elements, and how many there are: None when any number."""
    if name.base != "tuple":
        return name.args[:1], None
    if len(name.args) == 2 and name.args[1].base == "...":
        return name.args[:1], None
    return name.args, len(name.args)


def _is_subclass(producer: str, consumer: str) -> bool:
    """Estimators by the library they come from; other classes when the program has loaded both already."""
    if _top(producer) in ESTIMATOR_LIBRARIES and consumer.startswith(f"{ESTIMATOR_BASE}."):
        return True
    made, wanted = _loaded(producer), _loaded(consumer)
    if made is not None and wanted is not None:
        return issubclass(made, wanted)
    # A class of the user's own whose module is not loaded may well be an estimator: the run itself will tell.
    return producer not in KNOWN and consumer.startswith(f"{ESTIMATOR_BASE}.") and _top(producer) != "scipy"


def _top(name: str) -> str:
    return name.partition(".")[0]


def _loaded(name: str) -> type | None:
    module, _, attribute = name.rpartition(".")
    found = getattr(sys.modules.get(module), attribute, None) if module else None
    return found if isinstance(found, type) else None
