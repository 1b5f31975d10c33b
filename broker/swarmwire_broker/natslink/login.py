"""What a client says when it connects: who it is, and what it can."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ..version import VERSION
from .addresses import Address
from .errors import LinkError
from .facts import ServerFacts
from .nkeys import public_of, read_key_file, sign

__all__ = ["LinkFiles", "Login"]


@dataclass(frozen=True)
class LinkFiles:
    """Files that a link needs where servers ask for more than a password. They are read at every login.

    Attributes:
        credentials: a `.creds` file (a user's JWT and seed), or a file with the seed of an nkey alone.
        ca: whose certificates servers may have, instead of those the machine trusts.
        cert, key: the certificate of this client, where servers ask for one.
    """

    credentials: Path | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


class Login:
    """How a client of this name logs in anywhere."""

    def __init__(self, name: str, files: LinkFiles) -> None:
        self._name = name
        self._files = files

    def line(self, address: Address, facts: ServerFacts) -> bytes:
        """The CONNECT for this server; it holds secrets. LinkError where the credentials file is of no use."""
        fields: dict[str, Any] = {
            "verbose": False,
            "pedantic": False,
            "tls_required": address.tls,
            "name": self._name,
            "lang": "python",
            "version": VERSION,
            "protocol": 1,
            "echo": True,
            "headers": True,
            "no_responders": True,
        }
        if address.token is not None:
            fields["auth_token"] = address.token
        if address.user is not None:
            fields |= {"user": address.user, "pass": address.password or ""}
        if self._files.credentials is not None and facts.nonce:
            fields |= _signed(self._files.credentials, facts.nonce)
        return b"CONNECT %b\r\n" % msgspec.json.encode(fields)

    def context(self) -> ssl.SSLContext:
        """What checks the certificates of servers. LinkError where a file is of no use."""
        files = self._files
        try:
            context = ssl.create_default_context(cafile=files.ca)
            if files.cert is not None:
                context.load_cert_chain(files.cert, files.key)
        except OSError as problem:
            reason = "it is none" if isinstance(problem, ssl.SSLError) else problem.strerror
            raise LinkError(f"a certificate file for NATS cannot be used: {reason}") from None
        return context


def _signed(path: Path, nonce: str) -> dict[str, str]:
    keys = read_key_file(path)
    who = {"jwt": keys.token} if keys.token is not None else {"nkey": public_of(keys.seed)}
    return {**who, "sig": sign(keys.seed, nonce)}
