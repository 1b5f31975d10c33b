"""A broker of tomorrow, as a program: `python otherversion.py serve ...` is `swarmwire serve ...` that says more.

There is no other version yet whose messages a broker could meet. So this one sends, beside what it should, what a later
version may add: a field and a header with each stored event, a field in each message of the state's journal and of the
bus, a higher version of the bus and a type of message that today's does not know. Beside today's broker it shows that
this passes over all of that, and that both agree on the log; not what a later version will make of today's messages.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["OTHER"]

OTHER = __file__
"""What runs in the place of `swarmwire`."""

_NEWS = {"tomorrow": {"of": ["another", "version"]}}
_EVERY = 10


def _event(payload: bytes, headers: bytes) -> tuple[bytes, bytes]:
    """A stored event with a field and a header that nobody knows. Its `data` is last, and may be of any size."""
    head, found, data = payload.partition(b'"data":')
    assert found, payload
    lines = headers.removesuffix(b"\r\n") or b"NATS/1.0\r\n"
    return b'%b"tomorrow":1,"data":%b' % (head, data), lines + b"Swarmwire-Tomorrow: 1\r\n\r\n"


def _group(payload: bytes) -> bytes:
    import msgspec

    return msgspec.msgpack.encode(msgspec.msgpack.decode(payload) | _NEWS)


def _told(payload: bytes) -> bytes:
    import msgspec

    envelope: dict[str, Any] = msgspec.json.decode(payload)
    return msgspec.json.encode(envelope | _NEWS | {"v": envelope["v"] + 1, "m": envelope["m"] | _NEWS})


def _unknown(payload: bytes) -> bytes:
    import msgspec

    envelope: dict[str, Any] = msgspec.json.decode(payload)
    return msgspec.json.encode(envelope | {"m": {"type": "tomorrow", "number": 1}})


def _saying_more(publish: Callable[..., None]) -> Callable[..., None]:
    """What publishes in the place of a link's own."""
    count = itertools.count(1)

    def say(subject: bytes, payload: bytes, *, reply: bytes = b"", headers: bytes = b"") -> None:
        match subject.split(b".", 3):
            case [b"swarmwire", _, b"e", _]:
                payload, headers = _event(payload, headers)
            case [b"swarmwire", _, b"s", b"journal"]:
                payload = _group(payload)
            case [b"swarmwire", _, b"b", *_] if payload:
                if next(count) % _EVERY == 0:
                    publish(subject, _unknown(payload))
                payload = _told(payload)
        publish(subject, payload, reply=reply, headers=headers)

    return say


def _say_more() -> None:
    """From now on every link of this process says more."""
    from swarmwire_broker.natslink.link import Link

    begin = Link.__init__

    def begin_saying_more(self: Link, *arguments: Any, **named: Any) -> None:
        begin(self, *arguments, **named)
        self.publish = _saying_more(self.publish)

    Link.__init__ = begin_saying_more  # type: ignore[method-assign]


def _main() -> None:
    os.environ["SWARMWIRE_PURE"] = "1"  # what is compiled cannot be changed from outside
    from swarmwire_broker.__main__ import main

    _say_more()
    main()


if __name__ == "__main__":
    sys.argv[0] = "swarmwire"
    _main()
