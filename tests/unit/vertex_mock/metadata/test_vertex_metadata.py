"""MetadataService as the docstrings of its requests have it."""

from __future__ import annotations

import pytest

from cloudml_vertex.mock.core.errors import GoogleError

LOCATION = "projects/123456789/locations/us-central1"
STORE = f"{LOCATION}/metadataStores/default"


def refused(code, call, *args, **params):
    with pytest.raises(GoogleError) as caught:
        call(*args, **params)
    assert caught.value.code == code


def node(ask, kind, identifier, **fields):
    key = kind.lower()
    return ask(f"Create{kind}", parent=STORE, **{key: fields, f"{key}_id": identifier})["name"]


def found(ask, kind, filter_="", **more):
    answer = ask(f"List{kind}s", parent=STORE, filter=filter_, **more)
    return sorted(row["name"].rpartition("/")[2] for row in answer.get(f"{kind.lower()}s", []))


def test_stores(ask, ended):
    assert ask("GetMetadataStore", name=STORE)["name"] == STORE
    refused("NOT_FOUND", ask, "GetMetadataStore", name=f"{LOCATION}/metadataStores/other")
    refused(
        "ALREADY_EXISTS", ask, "CreateMetadataStore", parent=LOCATION, metadata_store={}, metadata_store_id="default"
    )
    made = ended(
        ask("CreateMetadataStore", parent=LOCATION, metadata_store={"description": "x"}, metadata_store_id="other")
    )
    assert (made["response"]["name"], made["response"]["description"]) == (f"{LOCATION}/metadataStores/other", "x")
    assert len(ask("ListMetadataStores", parent=LOCATION)["metadata_stores"]) == 2
    ask("CreateContext", parent=f"{LOCATION}/metadataStores/other", context={}, context_id="held")
    refused("FAILED_PRECONDITION", ask, "DeleteMetadataStore", name=f"{LOCATION}/metadataStores/other")
    ended(ask("DeleteContext", name=f"{LOCATION}/metadataStores/other/contexts/held"))
    ended(ask("DeleteMetadataStore", name=f"{LOCATION}/metadataStores/other"))
    assert len(ask("ListMetadataStores", parent=LOCATION)["metadata_stores"]) == 1
    refused("NOT_FOUND", ask, "CreateContext", parent=f"{LOCATION}/metadataStores/other", context={}, context_id="more")


@pytest.mark.parametrize("kind", ["Context", "Artifact", "Execution"])
def test_life_of_a_node(ask, ended, world, kind):
    key = kind.lower()
    name = node(ask, kind, "node", display_name="Node", metadata={" a ": 1.5, "b": "x"}, labels={"team": "ml"})
    first = ask(f"Get{kind}", name=name)
    assert (first["metadata"], first["create_time"]) == ({"a": 1.5, "b": "x"}, "2026-11-01T12:00:00Z")
    refused("ALREADY_EXISTS", node, ask, kind, "node")
    world.clock.advance(60)
    second = ask(
        f"Update{kind}", **{key: {"name": name, "metadata": {"c": True}, "display_name": "no"}}, update_mask="metadata"
    )
    assert (second["metadata"], second["display_name"]) == ({"c": True}, "Node")
    assert (second["update_time"], second["create_time"]) == ("2026-11-01T12:01:00Z", first["create_time"])
    assert second["etag"] != first["etag"]
    refused("ABORTED", ask, f"Update{kind}", **{key: {"name": name, "etag": first["etag"], "display_name": "x"}})
    blind = ask(f"Update{kind}", **{key: {"name": name, "display_name": "Other", "etag": second["etag"]}})
    assert (blind["display_name"], blind["metadata"]) == ("Other", {"c": True})
    refused("INVALID_ARGUMENT", ask, f"Update{kind}", **{key: {"name": name}}, update_mask="createTime")
    refused("FAILED_PRECONDITION", ask, f"Delete{kind}", name=name, etag=first["etag"])
    operation = ended(ask(f"Delete{kind}", name=name, etag=blind["etag"]))
    assert "error" not in operation
    refused("NOT_FOUND", ask, f"Get{kind}", name=name)
    refused("NOT_FOUND", ask, f"Delete{kind}", name=name)


def test_update_can_make_what_is_missing(ask):
    name = f"{STORE}/artifacts/made"
    refused("NOT_FOUND", ask, "UpdateArtifact", artifact={"name": name, "uri": "gs://a/b"})
    assert ask("UpdateArtifact", artifact={"name": name, "uri": "gs://a/b"}, allow_missing=True)["uri"] == "gs://a/b"


def test_ids_and_limits(ask, world):
    assert node(ask, "Artifact", "").rpartition("/")[2].isdigit()
    for wrong in ("Upper", "a_b", "x" * 129, "a/b"):
        refused("INVALID_ARGUMENT", node, ask, "Artifact", wrong)
    node(ask, "Artifact", "abc")
    world.switches.set("metadata-short-id", "refuse")
    refused("INVALID_ARGUMENT", node, ask, "Artifact", "abd")
    refused("INVALID_ARGUMENT", node, ask, "Artifact", "large", metadata={"x": "y" * 205_000})
    refused("INVALID_ARGUMENT", node, ask, "Artifact", "long", display_name="x" * 129)
    refused("INVALID_ARGUMENT", node, ask, "Artifact", "label", labels={"Upper": "x"})


def test_filters(ask):
    parent = node(ask, "Context", "parent", schema_title="system.Experiment")
    child = node(ask, "Context", "child", schema_title="system.ExperimentRun", metadata={"lr": 0.5})
    ask("AddContextChildren", context=parent, child_contexts=[child])
    for number in range(3):
        meta = {"auc": number / 2, "name:with.dots": f"n{number}", "ok": number == 1, "deep": {"x": number}}
        node(
            ask, "Artifact", f"artifact-{number}", uri=f"gs://b/{number}", metadata=meta, state="LIVE", schema_title="t"
        )
    members = [f"{STORE}/artifacts/artifact-0", f"{STORE}/artifacts/artifact-2"]
    ask("AddContextArtifactsAndExecutions", context=parent, artifacts=members)
    assert found(ask, "Context", f'parent_contexts:"{parent}"') == ["child"]
    assert found(ask, "Context", f'child_contexts:"{child}"') == ["parent"]
    assert found(ask, "Context", f'schema_title="system.ExperimentRun" AND parent_contexts:"{parent}"') == ["child"]
    assert found(ask, "Artifact", f'in_context("{parent}")') == ["artifact-0", "artifact-2"]
    assert found(ask, "Artifact", f'in_context("{parent}") AND metadata.auc.number_value > 0.5') == ["artifact-2"]
    assert found(ask, "Artifact", 'metadata."name:with.dots".string_value = "n1"') == ["artifact-1"]
    assert found(ask, "Artifact", "metadata.ok.bool_value = true") == ["artifact-1"]
    assert found(ask, "Artifact", "metadata.deep.struct_value.x.number_value = 2") == ["artifact-2"]
    assert found(ask, "Artifact", 'uri = "gs://b/1" OR uri = "gs://b/2"') == ["artifact-1", "artifact-2"]
    assert found(ask, "Artifact", 'display_name = "in_context(x)"') == []
    assert found(ask, "Artifact", 'state = "LIVE" AND create_time <= "2026-11-01T12:00:00Z"') == [
        f"artifact-{number}" for number in range(3)
    ]
    refused("INVALID_ARGUMENT", found, ask, "Context", 'in_context("x")')
    refused("INVALID_ARGUMENT", found, ask, "Execution", 'uri = "x"')


def test_names_with_the_projects_id_mean_the_same(world):
    from cloudml_vertex.mock.core.world import Scope

    scope = Scope(world.project_number("acme-data"), "us-central1")
    store = "projects/acme-data/locations/us-central1/metadataStores/default"
    made = world.call(scope, "MetadataService.CreateContext", {"parent": store, "context": {}, "context_id": "ctx1"})
    assert made["name"].startswith(f"projects/{scope.account}/")
    node = {"parent": store, "execution": {}, "execution_id": "exec"}
    execution = world.call(scope, "MetadataService.CreateExecution", node)["name"]
    members = {"context": f"{store}/contexts/ctx1", "executions": [execution]}
    world.call(scope, "MetadataService.AddContextArtifactsAndExecutions", members)
    listed = {"parent": store, "filter": f'in_context("{store}/contexts/ctx1")'}
    assert len(world.call(scope, "MetadataService.ListExecutions", listed)["executions"]) == 1


def test_children_have_neither_cycles_nor_eleven_parents(ask):
    one, two, three = (node(ask, "Context", f"ctx-{number}") for number in range(3))
    etag = ask("GetContext", name=two)["etag"]
    ask("AddContextChildren", context=one, child_contexts=[two])
    assert ask("GetContext", name=two)["etag"] == etag  # the SDK updates runs with the etag from before
    ask("AddContextChildren", context=two, child_contexts=[three])
    ask("AddContextChildren", context=one, child_contexts=[two])
    assert ask("GetContext", name=two)["parent_contexts"] == [one]
    refused("INVALID_ARGUMENT", ask, "AddContextChildren", context=three, child_contexts=[one])
    refused("INVALID_ARGUMENT", ask, "AddContextChildren", context=one, child_contexts=[one])
    refused("NOT_FOUND", ask, "AddContextChildren", context=one, child_contexts=[f"{STORE}/contexts/none"])
    child = node(ask, "Context", "popular")
    for number in range(10):
        ask("AddContextChildren", context=node(ask, "Context", f"parent-{number}"), child_contexts=[child])
    refused("INVALID_ARGUMENT", ask, "AddContextChildren", context=one, child_contexts=[child])
    ask("RemoveContextChildren", context=one, child_contexts=[two, three])
    assert "parent_contexts" not in {key for key, value in ask("GetContext", name=two).items() if value}


@pytest.fixture
def chain(ask):
    """raw -> clean -> data -> train -> model, and data -> other -> report."""
    artifacts = {
        name: node(ask, "Artifact", f"art-{name}", display_name=name) for name in ("raw", "data", "model", "report")
    }
    executions = {name: node(ask, "Execution", f"exe-{name}") for name in ("clean", "train", "other")}
    flows = [("clean", "raw", "data"), ("train", "data", "model"), ("other", "data", "report")]
    for execution, used, made in flows:
        events = [{"artifact": artifacts[used], "type": "INPUT"}, {"artifact": artifacts[made], "type": "OUTPUT"}]
        for _ in range(2):
            ask("AddExecutionEvents", execution=executions[execution], events=events)
    return artifacts, executions


def ids(answer):
    return (
        {row["name"].rpartition("-")[2] for row in answer["artifacts"]},
        {row["name"].rpartition("-")[2] for row in answer["executions"]},
        len(answer["events"]),
    )


def test_lineage(ask, chain, world, ended):
    artifacts, executions = chain
    assert ids(ask("QueryExecutionInputsAndOutputs", execution=executions["train"])) == (
        {"data", "model"},
        {"train"},
        2,
    )
    whole = ({"raw", "data", "model", "report"}, {"clean", "train", "other"}, 6)
    assert ids(ask("QueryArtifactLineageSubgraph", artifact=artifacts["raw"])) == whole
    near = ask("QueryArtifactLineageSubgraph", artifact=artifacts["raw"], max_hops=2)
    assert ids(near) == ({"raw", "data"}, {"clean"}, 2)
    only = ask("QueryArtifactLineageSubgraph", artifact=artifacts["model"], filter='display_name != "report"')
    assert ids(only) == ({"raw", "data", "model"}, {"clean", "train", "other"}, 5)
    world.switches.set("lineage-hop", "artifact")
    assert ids(ask("QueryArtifactLineageSubgraph", artifact=artifacts["raw"], max_hops=2)) == whole
    refused("INVALID_ARGUMENT", ask, "QueryArtifactLineageSubgraph", artifact=artifacts["raw"], max_hops=-1)
    context = node(ask, "Context", "run-1")
    inside = {"artifacts": [artifacts["data"], artifacts["model"]], "executions": [executions["train"]]}
    ask("AddContextArtifactsAndExecutions", context=context, **inside)
    assert ids(ask("QueryContextLineageSubgraph", context=context)) == ({"data", "model"}, {"train"}, 2)
    ended(ask("DeleteArtifact", name=artifacts["data"]))
    assert ids(ask("QueryExecutionInputsAndOutputs", execution=executions["train"])) == ({"model"}, {"train"}, 1)
    event = {"artifact": artifacts["raw"]}
    refused("INVALID_ARGUMENT", ask, "AddExecutionEvents", execution=executions["train"], events=[event])
    refused(
        "NOT_FOUND",
        ask,
        "AddExecutionEvents",
        execution=executions["train"],
        events=[{"artifact": f"{STORE}/artifacts/none", "type": "INPUT"}],
    )


def test_purge(ask, ended):
    for number in range(3):
        node(ask, "Execution", f"exec-{number}", state="FAILED" if number else "COMPLETE")
    told = ended(ask("PurgeExecutions", parent=STORE, filter='state = "FAILED"'))
    assert (told["response"]["purge_count"], len(told["response"]["purge_sample"])) == (2, 2)
    assert len(found(ask, "Execution")) == 3
    assert (
        ended(ask("PurgeExecutions", parent=STORE, filter='state = "FAILED"', force=True))["response"]["purge_count"]
        == 2
    )
    assert found(ask, "Execution") == ["exec-0"]


def test_pages_and_order(ask, world):
    for number in range(5):
        node(ask, "Context", f"ctx-{number}", display_name=f"{9 - number}")
        world.clock.advance(1)
    names, token = [], ""
    while True:
        answer = ask("ListContexts", parent=STORE, page_size=2, order_by="display_name", page_token=token)
        names += [row["name"].rpartition("-")[2] for row in answer["contexts"]]
        token = answer.get("next_page_token", "")
        if not token:
            break
    assert names == ["4", "3", "2", "1", "0"]


def test_schemas(ask):
    schema = {"schema": "title: my.Dataset\ntype: object\n", "schema_version": "0.1.0", "schema_type": "ARTIFACT_TYPE"}
    made = ask("CreateMetadataSchema", parent=STORE, metadata_schema=schema, metadata_schema_id="my-dataset")
    assert ask("GetMetadataSchema", name=made["name"])["schema"] == schema["schema"]
    refused(
        "ALREADY_EXISTS", ask, "CreateMetadataSchema", parent=STORE, metadata_schema=schema, metadata_schema_id="again"
    )
    refused("INVALID_ARGUMENT", ask, "CreateMetadataSchema", parent=STORE, metadata_schema={**schema, "schema": "["})
    refused(
        "INVALID_ARGUMENT", ask, "CreateMetadataSchema", parent=STORE, metadata_schema={**schema, "schema_version": "1"}
    )
    assert len(ask("ListMetadataSchemas", parent=STORE)["metadata_schemas"]) == 1


def test_everything_outlives_the_process(ask, chain, world):
    from cloudml.mocks.store import Store

    before = ask("QueryArtifactLineageSubgraph", artifact=chain[0]["raw"])
    world.store.close()
    world.store = Store(world.folder / "state.db")
    assert ask("QueryArtifactLineageSubgraph", artifact=chain[0]["raw"]) == before


def test_boards(ask, ended):
    service = "TensorboardService."
    board = ended(
        ask(f"{service}CreateTensorboard", parent=LOCATION, tensorboard={"display_name": "b", "is_default": True})
    )
    board = board["response"]["name"]
    other = ended(
        ask(f"{service}CreateTensorboard", parent=LOCATION, tensorboard={"display_name": "c", "is_default": True})
    )
    listed = ask(f"{service}ListTensorboards", parent=LOCATION, filter="is_default=true")["tensorboards"]
    assert [row["name"] for row in listed] == [other["response"]["name"]]
    experiment = ask(
        f"{service}CreateTensorboardExperiment",
        parent=board,
        tensorboard_experiment={},
        tensorboard_experiment_id="exp",
    )
    run = ask(
        f"{service}CreateTensorboardRun",
        parent=experiment["name"],
        tensorboard_run={"display_name": "r"},
        tensorboard_run_id="run",
    )
    refused(
        "ALREADY_EXISTS",
        ask,
        f"{service}CreateTensorboardRun",
        parent=experiment["name"],
        tensorboard_run={"display_name": "r"},
        tensorboard_run_id="run2",
    )
    loss = {"display_name": "loss", "value_type": "SCALAR"}
    series = ask(f"{service}CreateTensorboardTimeSeries", parent=run["name"], tensorboard_time_series=loss)
    points = [
        {"step": step, "scalar": {"value": step / 2}, "wall_time": "2026-11-01T12:00:00Z"} for step in range(1, 2001)
    ]
    data = {"tensorboard_time_series_id": series["name"].rpartition("/")[2], "value_type": "SCALAR", "values": points}
    ask(f"{service}WriteTensorboardRunData", tensorboard_run=run["name"], time_series_data=[data])
    got = ask(f"{service}ReadTensorboardTimeSeriesData", tensorboard_time_series=series["name"])["time_series_data"][
        "values"
    ]
    assert (len(got), got[0]["step"], got[-1]["step"]) == (1000, 1, 2000)
    assert ask(f"{service}GetTensorboardTimeSeries", name=series["name"])["metadata"]["max_step"] == 2000
    refused(
        "INVALID_ARGUMENT",
        ask,
        f"{service}WriteTensorboardRunData",
        tensorboard_run=run["name"],
        time_series_data=[{**data, "value_type": "TENSOR"}],
    )
    ended(ask(f"{service}DeleteTensorboard", name=board))
    refused("NOT_FOUND", ask, f"{service}GetTensorboardTimeSeries", name=series["name"])
