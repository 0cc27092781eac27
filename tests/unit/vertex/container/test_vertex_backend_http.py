"""How a job asks: what is tried again, the token, secrets and messages, against a server that misbehaves on demand."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from cloudml.jobs.control.posting import Message
from cloudml.jobs.failure import Refused
from cloudml_vertex.container import http, secret_manager, topics
from cloudml_vertex.container.google import GoogleError, call

Reply = tuple[int, Any]


class Server:
    """Answers each request with the next of `replies`: a status and a JSON document, or 0 to hang up."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.seen.append((self.command, self.path, dict(self.headers), body))
                status, document = outer.replies.pop(0)
                if not status:
                    self.close_connection = True
                    return
                content = json.dumps(document).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    found = Server()
    monkeypatch.setenv("CLOUDML_VERTEX_REST", found.url)
    monkeypatch.setattr(http, "pause", lambda seconds: None)
    yield found
    found.close()


ERROR = {"error": {"code": 503, "message": "later", "status": "UNAVAILABLE"}}
NAME = "projects/p/locations/us-central1/endpoints/1"


def get() -> dict[str, Any]:
    return call("EndpointService.GetEndpoint", name=NAME)


def test_a_read_is_tried_again(server: Server) -> None:
    server.replies = [(503, ERROR), (0, None), (429, ERROR), (200, {"displayName": "x"})]
    assert get() == {"display_name": "x"}
    assert len(server.seen) == 4


def test_a_read_is_not_tried_for_ever(server: Server) -> None:
    server.replies = [(503, ERROR)] * http.ATTEMPTS
    with pytest.raises(GoogleError, match="UNAVAILABLE: later"):
        get()
    assert not server.replies


@pytest.mark.parametrize("reply", [(503, ERROR), (0, None), (500, {})])
def test_a_write_that_may_have_happened_is_not_repeated(server: Server, reply: Reply) -> None:
    server.replies = [reply, (200, {})]
    with pytest.raises(GoogleError) as caught:
        call("EndpointService.DeployModel", endpoint=NAME, deployed_model={})
    assert len(server.seen) == 1
    assert caught.value.told is bool(reply[0])


def test_a_write_that_surely_did_not_happen_is_repeated(server: Server) -> None:
    done = {"name": "projects/p/locations/r/operations/1", "done": True, "response": {"deployedModel": {"id": "5"}}}
    server.replies = [(429, {"error": {"message": "slowly", "status": "RESOURCE_EXHAUSTED"}}), (200, done)]
    answer = call("EndpointService.DeployModel", endpoint=NAME, traffic_split={"0": 100}, deployed_model={"id": "5"})
    assert answer == {"deployed_model": {"id": "5"}}
    verb, path, _, body = server.seen[-1]
    assert (verb, path) == ("POST", f"/v1/{NAME}:deployModel")
    assert json.loads(body) == {"traffic_split": {"0": 100}, "deployed_model": {"id": "5"}}


def test_an_operation_that_failed_is_told_by_its_code(server: Server) -> None:
    failed = {"name": "projects/p/locations/r/operations/1", "done": True, "error": {"code": 8, "message": "no quota"}}
    server.replies = [(200, failed)]
    with pytest.raises(GoogleError, match="RESOURCE_EXHAUSTED: no quota"):
        call("EndpointService.UndeployModel", endpoint=NAME, deployed_model_id="5")


def test_nobody_is_asked_elsewhere(server: Server) -> None:
    server.replies = [(302, {})]
    with pytest.raises(GoogleError) as caught:
        get()
    assert caught.value.http == 302


def test_maps_and_free_documents_keep_their_keys(server: Server) -> None:
    server.replies = [
        (200, {"trafficSplit": {"1": 100}, "metadata": {"someKey": 1}, "deployedModels": [{"createTime": "t"}]})
    ]
    assert get() == {"traffic_split": {"1": 100}, "metadata": {"someKey": 1}, "deployed_models": [{"create_time": "t"}]}


def test_fields_that_are_left_go_into_the_query_as_json_names_them(server: Server) -> None:
    server.replies = [(200, {})]
    call(
        "MetricService.ListTimeSeries", name="projects/p", filter='metric.type="x"', interval={"start_time": "a"},
        aggregation={"group_by_fields": ["m", "n"]},
    )  # fmt: skip
    assert server.seen[0][1] == (
        "/v3/projects/p/timeSeries?filter=metric.type%3D%22x%22&interval.startTime=a"
        "&aggregation.groupByFields=m&aggregation.groupByFields=n"
    )


def test_the_token_is_the_metadata_server_s_and_kept(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Google's "Access VM metadata": the header is required, the answer says how long the token lives."""
    monkeypatch.setenv("GCE_METADATA_HOST", server.url.removeprefix("http://"))
    server.replies = [(200, {"access_token": "t1", "expires_in": 3600}), (200, {"access_token": "t2", "expires_in": 9})]
    tokens = http._Tokens()
    assert [tokens.get(), tokens.get()] == ["t1", "t1"]
    _, path, headers, _ = server.seen[0]
    assert path == "/computeMetadata/v1/instance/service-accounts/default/token"
    assert {key.lower(): value for key, value in headers.items()}["metadata-flavor"] == "Google"
    tokens.forget()
    assert tokens.get() == "t2"


def test_without_a_token_it_is_said_who_gave_none(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", server.url.removeprefix("http://"))
    server.replies = [(404, {})]
    with pytest.raises(GoogleError, match="gives no token for the job's service account"):
        http._Tokens().get()


def test_a_secret_is_its_latest_version(server: Server) -> None:
    server.replies = [(200, {"name": "x", "payload": {"data": base64.b64encode("pä".encode()).decode()}})]
    assert secret_manager.read("p", "cloudml-shop-DB") == "pä"
    assert server.seen[0][1] == "/v1/projects/p/secrets/cloudml-shop-DB/versions/latest:access"


@pytest.mark.parametrize(
    "reply", [(404, {"error": {"message": "no", "status": "NOT_FOUND"}}), (200, {"payload": {"data": "/w=="}})]
)
def test_a_secret_that_cannot_be_had_is_refused(server: Server, reply: Reply) -> None:
    server.replies = [reply]
    with pytest.raises(Refused, match="cloudml-shop-DB"):
        secret_manager.read("p", "cloudml-shop-DB")


def test_a_message_goes_to_a_topic_and_a_refusal_is_told(server: Server) -> None:
    message = Message("subject", "text", "shop")
    server.replies = [(200, {"messageIds": ["1"]}), (403, {"error": {"message": "no", "status": "PERMISSION_DENIED"}})]
    assert topics.publish("projects/p/topics/alerts", message) == ""
    (entry,) = json.loads(server.seen[0][3])["messages"]
    assert base64.b64decode(entry["data"]) == b"text"
    assert "PERMISSION_DENIED: no" in topics.publish("projects/p/topics/alerts", message)
