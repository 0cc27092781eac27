"""Projects, locations and policies."""

from __future__ import annotations

import base64

from tests.unit.vertex_mock.around.vertex_around import PROJECT, Lab


def test_number_and_id_belong_together(lab: Lab) -> None:
    by_id = lab.call("Projects.GetProject", name=f"projects/{PROJECT}")
    assert by_id["name"] == f"projects/{lab.number}"
    assert by_id == lab.call("Projects.GetProject", name=by_id["name"])
    assert by_id["project_id"] == PROJECT
    lab.reopen()
    assert lab.call("Projects.GetProject", name=by_id["name"])["project_id"] == PROJECT


def test_projects_are_searched(lab: Lab) -> None:
    lab.world.project_number("other-project")
    found = lab.call("Projects.SearchProjects", query="id:my-*")
    assert [row["project_id"] for row in found["projects"]] == [PROJECT]
    assert len(lab.call("Projects.SearchProjects")["projects"]) == 2
    lab.refused("Projects.SearchProjects", "INVALID_ARGUMENT", query="colour:red")


def test_everything_is_permitted(lab: Lab) -> None:
    asked = ["aiplatform.endpoints.predict"]
    found = lab.call("Projects.TestIamPermissions", resource=f"projects/{PROJECT}", permissions=asked)
    assert found["permissions"] == asked


def test_locations(lab: Lab) -> None:
    one = lab.call("Locations.GetLocation", name=f"projects/{PROJECT}/locations/us-central1")
    assert one["location_id"] == "us-central1"
    listed = lab.call("Locations.ListLocations", name=f"projects/{PROJECT}")
    assert one in listed["locations"]


def test_a_policy_is_kept_and_guarded_by_its_etag(lab: Lab) -> None:
    resource = f"projects/{PROJECT}/locations/us-central1/endpoints/1"
    empty = lab.call("IAMPolicy.GetIamPolicy", resource=resource)
    policy = {"bindings": [{"role": "roles/viewer", "members": ["user:a@b.example"]}], "etag": empty["etag"]}
    kept = lab.call("IAMPolicy.SetIamPolicy", resource=resource, policy=policy)
    assert kept["etag"] != empty["etag"]
    assert lab.call("IAMPolicy.GetIamPolicy", resource=resource) == kept
    lab.refused("IAMPolicy.SetIamPolicy", "ABORTED", resource=resource, policy=policy)
    wrong = {**policy, "etag": base64.b64encode(b"x").decode(), "version": 2}
    lab.refused("IAMPolicy.SetIamPolicy", "INVALID_ARGUMENT", resource=resource, policy=wrong)
