"""Every RPC that Google's installed clients know: paths, message types, HTTP bindings, read from their own transports.

No proto is vendored: the generated gRPC transports say path and types, the generated REST transports the bindings. Both
names are private to the generator, so that a unit test holds the table; packages are imported when first asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from cloudml_vertex.mock.core import published, templates

PACKAGES = {
    "google.cloud.aiplatform.v1": "google.cloud.aiplatform_v1",
    "google.cloud.aiplatform.v1beta1": "google.cloud.aiplatform_v1beta1",
    "google.monitoring.v3": "google.cloud.monitoring_v3",
    "google.pubsub.v1": "google.pubsub_v1",
    "google.logging.v2": "google.cloud.logging_v2",
    "google.cloud.resourcemanager.v3": "google.cloud.resourcemanager_v3",
}
"""Python packages of the proto packages that are served."""
_BY_PREFIX = {
    "v1": ("google.cloud.aiplatform.v1", "google.pubsub.v1"),
    "ui": ("google.cloud.aiplatform.v1",),
    "v1beta1": ("google.cloud.aiplatform.v1beta1",),
    "v3": ("google.cloud.resourcemanager.v3", "google.monitoring.v3"),
}
"""Proto packages whose HTTP bindings begin with that segment, in the order in which they are tried."""
_VERSIONED = "google.cloud.aiplatform."
_HOST_OF_MIXINS = "PipelineService"
"""A service whose transport carries the bindings of the mixins; the generator writes the same into all."""
_IMPORTING = threading.RLock()
"""These packages import one another in circles: two threads that begin to import them at once get half a module."""
_NO_RPC = frozenset({"grpc_channel", "operations_client", "kind", "host"})


class Binding(NamedTuple):
    """How an RPC is called by HTTP. `body`: the field that is the body, "*" for all, "" for none."""

    verb: str
    template: str
    body: str


@dataclass(frozen=True)
class Method:
    """One RPC. `request` and `response` are raw protobuf classes; `version` is Vertex's ("v1", "v1beta1"), else ""."""

    path: str
    service: str
    name: str
    version: str
    request: Any = field(repr=False)
    response: Any = field(repr=False)
    client_streaming: bool = False
    server_streaming: bool = False
    http: tuple[Binding, ...] = field(default=(), repr=False)

    @property
    def rpc(self) -> str:
        """Service and method as handlers are named: `PipelineService.CreatePipelineJob`."""
        return f"{self.service}.{self.name}"


class _Recorder:
    """Stands for a gRPC channel: notes what a transport would call, by its method's path."""

    def __init__(self) -> None:
        self.seen: dict[str, tuple[Any, Any, bool, bool]] = {}

    def __getattr__(self, kind: str) -> Callable[..., None]:
        asked, _, answered = kind.partition("_")

        def note(path: str, request_serializer: Any = None, response_deserializer: Any = None, **_: Any) -> None:
            self.seen[path] = (request_serializer, response_deserializer, asked == "stream", answered == "stream")

        return note


def find(path: str) -> Method | None:
    """The RPC of a gRPC path, `/google.cloud.aiplatform.v1.JobService/CreateCustomJob`; None if there is none."""
    full, _, _ = path.lstrip("/").rpartition("/")
    package, _, service = full.rpartition(".")
    found = _mixins("").get(path)
    return found if found is not None or package not in PACKAGES else _service(package, service).get(path)


def method(rpc: str, version: str = "v1") -> Method:
    """The RPC that handlers call by that name, in Vertex AI's `version` where it is one of Vertex AI's.

    Raises KeyError when no installed client knows it.
    """
    service, _, name = rpc.partition(".")
    other = [package for package in PACKAGES if not package.startswith(_VERSIONED)]
    for package in (f"{_VERSIONED}{version}", f"{_VERSIONED}v1beta1", *other):
        found = _service(package, service).get(f"/{package}.{service}/{name}")
        if found is not None:
            return found
    mixed = {one.rpc: one for one in _mixins(version).values()}
    return mixed[rpc]


def methods(package: str) -> Iterator[Method]:
    """Every RPC of a proto package, without the mixins."""
    for service in _services(package):
        yield from _service(package, service).values()


def route(verb: str, path: str) -> tuple[Method, dict[str, str], Binding] | None:
    """The RPC that a request's verb and still encoded path name, the path's variables, and the binding that fits."""
    segments = path.split("/")
    for package in _BY_PREFIX.get(segments[1] if len(segments) > 1 else "", ()):
        found = _table(package).find(verb.upper(), path)
        if found is not None:
            (method, binding), variables = found
            return method, variables, binding
    return None


def is_installed(package: str) -> bool:
    """Whether the client of a proto package is there."""
    try:
        return importlib.util.find_spec(PACKAGES[package]) is not None
    except ModuleNotFoundError:
        return False


def imported(name: str) -> Any:
    """A module of Google's clients."""
    with _IMPORTING:
        return importlib.import_module(name)


@cache
def _table(package: str) -> templates.Table[tuple[Method, Binding]]:
    table: templates.Table[tuple[Method, Binding]] = templates.Table()
    if not is_installed(package):
        return table
    version = package.removeprefix(_VERSIONED) if package.startswith(_VERSIONED) else ""
    mixins = _mixins(version).values() if version else ()
    for method in (*methods(package), *mixins):
        for binding in method.http:
            table.add(binding.verb, binding.template, (method, binding))
    return table


@cache
def _services(package: str) -> dict[str, str]:
    """Names of services without case and underscores, and the modules that hold them."""
    if not is_installed(package):
        return {}
    folder = imported(f"{PACKAGES[package]}.services")
    return {one.name.replace("_", ""): one.name for one in pkgutil.iter_modules(folder.__path__)}


@cache
def _service(package: str, service: str) -> dict[str, Method]:
    """The RPCs of a service, by path; empty when there is no such service."""
    module = _services(package).get(service.lower())
    if module is None:
        return {}
    place = f"{PACKAGES[package]}.services.{module}.transports"
    registry: dict[str, Any] = imported(place)._transport_registry
    version = package.removeprefix(_VERSIONED) if package.startswith(_VERSIONED) else ""
    bindings = _bindings(place)
    found = {}
    for path, (request, response, asked, answered) in _recorded(registry["grpc"]).items():
        full, _, name = path.lstrip("/").rpartition("/")
        proto, _, short = full.rpartition(".")
        if proto != package:
            continue
        types = _asked(request, name), _raw(response)
        found[path] = Method(path, short, name, version, *types, asked, answered, bindings.get(name, ()))
    return found


def _recorded(transport: Any) -> dict[str, tuple[Any, Any, bool, bool]]:
    """What the properties of a gRPC transport call. It is not initialised: that would ask for credentials."""
    recorder = _Recorder()
    one = transport.__new__(transport)
    vars(one).update(_stubs={}, _grpc_channel=recorder, _logged_channel=recorder)
    for name, value in vars(transport).items():
        if isinstance(value, property) and name not in _NO_RPC:
            getattr(one, name)
    return recorder.seen


def _bindings(place: str) -> dict[str, tuple[Binding, ...]]:
    """HTTP bindings by RPC, read from a service's REST transport; those that are published when it has none."""
    try:
        module = imported(f"{place}.rest_base")
    except ModuleNotFoundError:
        known = published.BINDINGS.get(place.split(".")[-2], {}) if "monitoring_v3" in place else {}
        return {name: (Binding(*one),) for name, one in known.items()}
    base = next(
        value for name, value in vars(module).items() if name.startswith("_Base") and name.endswith("Transport")
    )
    options = {
        name.removeprefix("_Base"): value._get_http_options()
        for name, value in vars(base).items()
        if name.startswith("_Base") and hasattr(value, "_get_http_options")
    }
    return {
        name: tuple(Binding(one["method"].upper(), one["uri"], one.get("body", "")) for one in found)
        for name, found in options.items()
    }


def _asked(codec: Any, name: str) -> Any:
    """The request's class. A message of google.iam.v1 is serialised by a function that does not say whose it is."""
    if hasattr(codec, "__self__"):
        return _raw(codec)
    return _mixins("")[f"/google.iam.v1.IAMPolicy/{name}"].request


def _raw(codec: Any) -> Any:
    """The protobuf class behind a (de)serializer: a bound method of a proto-plus or of a protobuf class."""
    owner = codec.__self__
    return owner.pb() if hasattr(owner, "pb") else owner


@cache
def _mixins(version: str) -> dict[str, Method]:
    """google.longrunning, google.cloud.location and google.iam.v1, which every service of Vertex mixes in."""
    bindings: dict[str, tuple[Binding, ...]] = {}
    if version:
        module = _services(_VERSIONED + version)[_HOST_OF_MIXINS.lower()]
        bindings = _bindings(f"{PACKAGES[_VERSIONED + version]}.services.{module}.transports")
    from google.cloud.location import locations_pb2
    from google.iam.v1 import iam_policy_pb2, policy_pb2
    from google.longrunning import operations_pb2
    from google.protobuf import empty_pb2

    types = {
        "google.longrunning.Operations": {
            "GetOperation": (operations_pb2.GetOperationRequest, operations_pb2.Operation),
            "ListOperations": (operations_pb2.ListOperationsRequest, operations_pb2.ListOperationsResponse),
            "CancelOperation": (operations_pb2.CancelOperationRequest, empty_pb2.Empty),
            "DeleteOperation": (operations_pb2.DeleteOperationRequest, empty_pb2.Empty),
            "WaitOperation": (operations_pb2.WaitOperationRequest, operations_pb2.Operation),
        },
        "google.cloud.location.Locations": {
            "GetLocation": (locations_pb2.GetLocationRequest, locations_pb2.Location),
            "ListLocations": (locations_pb2.ListLocationsRequest, locations_pb2.ListLocationsResponse),
        },
        "google.iam.v1.IAMPolicy": {
            "GetIamPolicy": (iam_policy_pb2.GetIamPolicyRequest, policy_pb2.Policy),
            "SetIamPolicy": (iam_policy_pb2.SetIamPolicyRequest, policy_pb2.Policy),
            "TestIamPermissions": (
                iam_policy_pb2.TestIamPermissionsRequest,
                iam_policy_pb2.TestIamPermissionsResponse,
            ),
        },
    }
    found = {}
    for full, rpcs in types.items():
        for name, (request, response) in rpcs.items():
            path, service = f"/{full}/{name}", full.rpartition(".")[2]
            found[path] = Method(path, service, name, version, request, response, http=bindings.get(name, ()))
    return found
