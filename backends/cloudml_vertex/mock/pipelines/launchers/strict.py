"""A launcher's request with a field that the API lacks fails, as it does with Google's clients and over REST."""

from __future__ import annotations

from cloudml_vertex.mock.core import catalog
from cloudml_vertex.mock.pipelines.definition.problems import Problems
from cloudml_vertex.mock.pipelines.definition.wireform import unknown
from cloudml_vertex.mock.pipelines.launchers.progress import Call, Document, Failed


def strictly(call: Call) -> Call:
    """`call`, which refuses requests with unknown fields by raising Failed."""

    def checked(rpc: str, request: Document) -> Document:
        problems = Problems()
        unknown(request, catalog.method(rpc, "v1").request.DESCRIPTOR, "", problems)
        if problems.found:
            raise Failed("; ".join(f"{where}: {what}" for where, what in problems.found))
        return call(rpc, request)

    return checked
