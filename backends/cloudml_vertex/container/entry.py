"""What `cloudml.jobs.start` imports, under the name `cloudml_entry`."""

from cloudml_vertex.container.main import run

__all__ = ["run"]
