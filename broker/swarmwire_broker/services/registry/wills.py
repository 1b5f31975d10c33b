"""Last wills: events that a being leaves with the broker, to be published when it has gone without a word."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw, Struct

from swarmwire_protocol.codec import event_head, event_origin
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Publish

from ...core.identity import Author
from ...core.publishing import Publishing
from ...engines.entry import Draft

__all__ = ["Will", "WillWanted", "accepted", "published"]


class WillWanted(Struct, kw_only=True):
    """A last will as a registration states it."""

    topic: Annotated[str, Meta(max_length=512)]
    data: Raw
    headers: dict[str, str] | None = None


class Will(Struct, kw_only=True):
    """A last will that was accepted: `data` is JSON, `sender` is what the `from` of its event will say."""

    topic: str
    data: bytes
    headers: dict[str, str] | None
    sender: str | None


def accepted(wanted: WillWanted | None, author: Author, publishing: Publishing, most_bytes: int) -> Will | None:
    """Check a will as if it were published now.

    Raises:
        SwarmwireError: what a publish of it would raise, and MESSAGE_TOO_LARGE for its data.
    """
    if wanted is None:
        return None
    data = bytes(wanted.data)
    if len(data) > most_bytes:
        sentence = f"The data of a last will has at most {most_bytes} bytes, not {len(data)}."
        raise SwarmwireError(ErrorCode.MESSAGE_TOO_LARGE, sentence, field="params.will.data")
    try:
        publishing.check(Publish(topic=wanted.topic, data=wanted.data, headers=wanted.headers), author)
    except SwarmwireError as error:
        raise SwarmwireError(error.code, error.message, field=f"params.will.{error.field or 'topic'}") from None
    return Will(topic=wanted.topic, data=data, headers=wanted.headers, sender=author.sender)


def published(will: Will) -> Draft:
    """The event of a will, for the step that takes its being away."""
    return Draft(will.topic, event_head(will.topic), event_origin(will.sender, will.headers), will.data)
