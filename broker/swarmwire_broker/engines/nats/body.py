"""An event as it lies in the stream: its JSON without the place, which is spliced in when it is delivered."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from swarmwire_protocol.codec import event_head

from ...natslink.headers import header
from ..dedupe import Key
from ..entry import Draft, Entry, new_entry
from .subjects import Subjects

__all__ = ["Known", "Place", "Topics", "entry_of", "message_id_of", "place_of", "stored_headers", "stored_payload"]

_CLEAR: Final = b"Swarmwire-Clear"
_HIDDEN: Final = b"Swarmwire-Hidden"
_OURS: Final = b"\r\nSwarmwire-"

_made: Final = tuple.__new__  # a named tuple's own way is a Python call


class Known:
    """A topic that was met in the stream: its name, as one string for all its events, and what they begin with."""

    __slots__ = ("head", "topic")

    def __init__(self, topic: str, head: bytes) -> None:
        self.topic = topic
        self.head = head


class Topics:
    """Subject -> topic, remembered for the `most` that were met since it was last emptied."""

    __slots__ = ("_known", "_most", "_subjects")

    def __init__(self, subjects: Subjects, most: int = 100_000) -> None:
        self._subjects = subjects
        self._most = most
        self._known: dict[bytes, Known | None] = {}

    def of(self, subject: bytes) -> Known | None:
        """What is known of a subject; None if it is no topic's."""
        try:
            return self._known[subject]
        except KeyError:
            return self._learn(subject)

    def _learn(self, subject: bytes) -> Known | None:
        topic = self._subjects.topic(subject)
        known = None if topic is None else Known(topic, event_head(topic))
        if len(self._known) >= self._most:
            self._known.clear()
        self._known[subject] = known
        return known


class Place(NamedTuple):
    """What the acknowledgement subject of a delivered message tells: where it stands, and how many are to follow."""

    seq: int
    consumer_seq: int
    ts_ms: int
    pending: int


def place_of(reply: bytes) -> Place:
    """Read `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<times>.<seq>.<consumer seq>.<ns>.<pending>[.<random>]`.

    Raises:
        ValueError: it is something else.
    """
    parts = reply.split(b".")
    if len(parts) == 9:
        seq, consumer_seq, ns, pending = parts[5:9]
    elif len(parts) > 10:
        seq, consumer_seq, ns, pending = parts[7:11]
    else:
        raise ValueError("expected the subject of an acknowledgement")
    place: Place = _made(Place, (int(seq), int(consumer_seq), int(ns) // 1_000_000, int(pending)))
    return place


# ---- into the stream


def stored_payload(draft: Draft) -> bytes:
    """What is stored of an event."""
    if draft.clear:
        return b'%b%b"clear":true,"data":%b}' % (draft.head, draft.origin, draft.data)
    return b'%b%b"data":%b}' % (draft.head, draft.origin, draft.data)


def stored_headers(draft: Draft, message_id: bytes = b"") -> bytes:
    """The headers it is stored with: none for most."""
    if draft.hidden_from is None and not draft.clear:
        return b"NATS/1.0\r\nNats-Msg-Id: %b\r\n\r\n" % message_id if message_id else b""
    lines = [b"NATS/1.0"]
    if message_id:
        lines.append(b"Nats-Msg-Id: " + message_id)
    if draft.clear:
        lines.append(_CLEAR + b": 1")
    if draft.hidden_from is not None:
        # What a client calls its instance may be any text; whatever it is, it is one line.
        lines.append(_HIDDEN + b": " + quote(draft.hidden_from, safe="", errors="surrogatepass").encode())
    lines.append(b"\r\n")
    return b"\r\n".join(lines)


def message_id_of(key: Key) -> bytes:
    """The id by which the stream knows a key again: it tells nothing of the key, its scope or its topic."""
    scope, topic, name = key
    # With the length of the scope first, two keys are never one text.
    text = f"{len(scope)}\0{scope}\0{topic}\0{name}"
    digest = blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
    return urlsafe_b64encode(digest)[:22]


# ---- out of it


def entry_of(seq: int, ts_ms: int, subject: bytes, headers: bytes, payload: bytes, topics: Topics) -> Entry | None:
    """The event that a message is; None for one that no broker has stored."""
    known = topics.of(subject)
    if known is None:
        return None
    head = known.head
    if not payload.startswith(head):
        return None
    whole = b'%b"seq":%d,"ts":%d,%b' % (head, seq, ts_ms, payload[len(head) :])
    if headers and _OURS in headers:
        return _marked(seq, ts_ms, known.topic, whole, headers)
    return new_entry(seq, ts_ms, known.topic, whole, None, False)


def _marked(seq: int, ts_ms: int, topic: str, payload: bytes, headers: bytes) -> Entry:
    hidden = header(headers, _HIDDEN)
    hidden_from = None if hidden is None else unquote(hidden.decode(errors="replace"), errors="surrogatepass")
    return new_entry(seq, ts_ms, topic, payload, hidden_from, header(headers, _CLEAR) is not None)
