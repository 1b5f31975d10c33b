"""What a NATS server says of itself when one connects, and when it changes."""

from __future__ import annotations

import re

import msgspec

from .errors import WireProblem

__all__ = ["ServerFacts", "facts_of"]


class ServerFacts(
    msgspec.Struct, frozen=True, rename={"id": "server_id", "name": "server_name", "version_text": "version"}
):
    """The INFO of a server, as far as it matters here. Fields that a server leaves out are empty.

    Attributes:
        max_payload: the most bytes of headers and payload together.
        connect_urls: `host:port` of the servers of its cluster that take clients.
        ldm: it is about to stop (lame duck mode), and clients are to go elsewhere.
        nonce: what a login with a key must sign; another one for every connection.
    """

    id: str = ""
    name: str = ""
    version_text: str = ""
    max_payload: int = 1024 * 1024
    jetstream: bool = False
    headers: bool = False
    cluster: str = ""
    domain: str = ""
    connect_urls: tuple[str, ...] = ()
    ldm: bool = False
    auth_required: bool = False
    tls_required: bool = False
    tls_available: bool = False
    nonce: str = ""

    @property
    def version(self) -> tuple[int, ...]:
        """As numbers, `(2, 15, 1)`; what follows a dash is left out, and nothing is known of an empty one."""
        return tuple(int(number) for number in re.findall(r"\d+", self.version_text.partition("-")[0]))


def facts_of(line: bytes) -> ServerFacts:
    """Read the rest of an INFO line; WireProblem where it is none."""
    try:
        return msgspec.json.decode(line, type=ServerFacts)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise WireProblem("the peer does not speak NATS: its INFO is no JSON of a server") from None
