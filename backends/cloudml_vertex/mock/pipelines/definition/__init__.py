"""Pipeline definitions: read and refused as Vertex AI would (`parse`, `bind`), and how their values move (`flow`).

Everything here is a pure function of a PipelineSpec (pipeline_spec.proto, package ml_pipelines) and of values.
"""

from cloudml_vertex.mock.pipelines.definition.model import Definition
from cloudml_vertex.mock.pipelines.definition.parameters import bind
from cloudml_vertex.mock.pipelines.definition.parse import parse

__all__ = ["Definition", "bind", "parse"]
