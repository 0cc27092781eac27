"""Cloud Monitoring over HTTP, by the bindings of its published protos: its clients speak gRPC only, jobs speak REST."""

from __future__ import annotations

import pytest

from cloudml_vertex.mock.core import catalog
from cloudml_vertex.mock.core.published import BINDINGS

NAMED = {
    "{name=projects/*}": "projects/p",
    "{name=projects/*/metricDescriptors/**}": "projects/p/metricDescriptors/custom.googleapis.com/a/b",
    "{name=projects/*/alertPolicies/*}": "projects/p/alertPolicies/1",
    "{alert_policy.name=projects/*/alertPolicies/*}": "projects/p/alertPolicies/1",
    "{name=projects/*/notificationChannels/*}": "projects/p/notificationChannels/1",
    "{notification_channel.name=projects/*/notificationChannels/*}": "projects/p/notificationChannels/1",
}
ROUTES = [(name, *binding) for service in BINDINGS.values() for name, binding in service.items()]


@pytest.mark.parametrize(("name", "verb", "template", "body"), ROUTES)
def test_every_path_leads_to_its_rpc(name: str, verb: str, template: str, body: str) -> None:
    variable = template[template.index("{") : template.index("}") + 1]
    found = catalog.route(verb, template.replace(variable, NAMED[variable]))
    assert found is not None
    method, variables, binding = found
    assert (method.name, binding.body) == (name, body)
    assert list(variables.values()) == [NAMED[variable]]
    field = body if body not in ("", "*") else "name"
    assert field in method.request.DESCRIPTOR.fields_by_name


def test_resource_manager_keeps_its_own_paths() -> None:
    found = catalog.route("GET", "/v3/projects/p")
    assert found is not None
    assert found[0].rpc == "Projects.GetProject"
