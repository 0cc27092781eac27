"""StreamingPull, as Pub/Sub's own clients subscribe: messages flow as they come, until the client hangs up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

from cloudml_vertex.mock.around import subscriptions, topics
from cloudml_vertex.mock.core.errors import GoogleError, invalid
from cloudml_vertex.mock.core.operations import Call, Document, rpc
from cloudml_vertex.mock.core.world import World

log = logging.getLogger(__name__)

_BATCH = 100
_LOOK = 0.2
"""Real seconds after which a stream looks again for deadlines that passed."""
_DEADLINES = (10, 600)


class _Stream:
    """One client's stream: what it asked for, and the errors that its requests caused."""

    def __init__(self, call: Call) -> None:
        self.world: World = call.world
        self.subscription = str(call.params.get("subscription", ""))
        self.deadline = self._checked(int(call.params.get("stream_ack_deadline_seconds", 0)))
        self.most = int(call.params.get("max_outstanding_messages", 0))
        self.ended = threading.Event()
        self.error: GoogleError | None = None
        self.held: set[str] = set()
        self.handle(call.params)

    @staticmethod
    def _checked(deadline: int) -> int:
        if not _DEADLINES[0] <= deadline <= _DEADLINES[1]:
            raise invalid(f"stream_ack_deadline_seconds must be between 10 and 600; it is {deadline}.")
        return deadline

    def listen(self, requests: Iterator[Document]) -> None:
        """Handle the further requests; the stream ends with them."""
        try:
            for request in requests:
                self.handle(request)
        except GoogleError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - each transport says in its own way that the client is gone
            log.debug("a subscriber hung up: %r", error)
        finally:
            self.ended.set()

    def handle(self, request: Document) -> None:
        """Acknowledgements and new deadlines of one request."""
        if request.get("stream_ack_deadline_seconds"):
            self.deadline = self._checked(int(request["stream_ack_deadline_seconds"]))
        with self.world.lock:
            key, _ = subscriptions.found(self.world, self.subscription)
            done = request.get("ack_ids", [])
            subscriptions.settle(self.world, key, done)
            self.held.difference_update(done)
            pairs = zip(
                request.get("modify_deadline_ack_ids", []), request.get("modify_deadline_seconds", []), strict=True
            )
            for ack_id, seconds in pairs:
                subscriptions.postpone(self.world, key, [ack_id], seconds)

    def next(self) -> Document | None:
        """The next response, None when there is nothing now. Raises GoogleError when the subscription is gone."""
        with self.world.lock:
            key, row = subscriptions.found(self.world, self.subscription)
            rows = topics.waiting(self.world, key)
            now = self.world.now()
            self.held = {ack for ack in self.held if (rows.get(ack.partition(":")[0]) or {"until": 0})["until"] > now}
            room = min(_BATCH, self.most - len(self.held)) if self.most > 0 else _BATCH
            got = subscriptions.take(self.world, key, row, room, self.deadline) if room > 0 else []
        if not got:
            return None
        self.held.update(message["ack_id"] for message in got)
        ordered = bool(row.get("enable_message_ordering"))
        return {"received_messages": got, "subscription_properties": {"message_ordering_enabled": ordered}}


@rpc("Subscriber.StreamingPull", locked=False)
def streaming_pull(call: Call) -> Iterator[Document]:
    """The first request names the subscription; it is looked at before the stream begins."""
    stream = _Stream(call)
    return _messages(call, stream)


def _messages(call: Call, stream: _Stream) -> Iterator[Document]:
    listener = threading.Thread(target=stream.listen, args=(call.stream,), name="mock-streaming-pull", daemon=True)
    listener.start()
    try:
        while not stream.ended.is_set() and not call.world.closing.is_set():
            response = stream.next()
            if response is not None:
                yield response
            else:
                subscriptions.wait(call.world, _LOOK)
        if stream.error is not None:
            raise stream.error
    finally:
        stream.ended.set()
