"""Text as the compiled modules take it."""

from __future__ import annotations

from typing import Final

from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import ClientInfo

__all__ = ["check_client", "exact"]

_MOST: Final = 256
_MOST_INSTANCE: Final = 128


def exact(text: str) -> str:
    """The same text as a `str` and nothing more: an embedder may hand over a member of a `StrEnum`."""
    return text if type(text) is str else str.__str__(text)


def check_client(client: ClientInfo) -> None:
    """See that what a client says of itself is short: it is kept with all that the client has.

    Raises:
        SwarmwireError: INVALID_MESSAGE.
    """
    for field, text, most in (
        ("name", client.name, _MOST),
        ("version", client.version, _MOST),
        ("kind", client.kind, _MOST),
        ("instance", client.instance, _MOST_INSTANCE),
    ):
        if text is not None and len(text) > most:
            sentence = f"Expected at most {most} characters, got {len(text)}."
            raise SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field=f"client.{field}")
