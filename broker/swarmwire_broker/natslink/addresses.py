"""Where NATS servers are: those configured, and those that they tell of."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

__all__ = ["Address", "Servers", "read_address"]

_PORT = 4222


@dataclass(frozen=True)
class Address:
    """One server, with what logs in there. Shown without secrets.

    Attributes:
        tls: whether the connection must be encrypted whatever the server says.
        tls_name: the name its certificate must have.
    """

    host: str
    port: int
    tls: bool = False
    tls_name: str = ""
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls' if self.tls else 'nats'}://{host}:{self.port}"


def read_address(url: str) -> Address:
    """Read `nats://[user:password@|token@]host[:port]`, also with `tls://`; ValueError says what is wrong with it."""
    try:
        parts = urlsplit(url if "://" in url else f"nats://{url}")
    except ValueError:  # its own sentence shows the password
        raise ValueError("a NATS server must be nats://host:port, and this is no such URL") from None
    if parts.scheme not in ("nats", "tls"):
        raise ValueError(f"a NATS server must be nats://host:port or tls://host:port, not {parts.scheme}://")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("the port of a NATS server must be a number from 1 to 65535") from None
    if not host or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("a NATS server must be nats://host:port, with nothing behind the port")
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password is not None else None
    is_token = user is not None and password is None
    return Address(
        host=host,
        port=port or _PORT,
        tls=parts.scheme == "tls",
        tls_name=host,
        user=None if is_token else user,
        password=password,
        token=user if is_token else None,
    )


class Servers:
    """In which order servers are tried: shuffled once, and whoever failed last comes last."""

    def __init__(self, urls: Sequence[str]) -> None:
        if not urls:
            raise ValueError("at least one NATS server must be named")
        self._configured = list(dict.fromkeys(read_address(url) for url in urls))
        random.shuffle(self._configured)
        self._order = list(self._configured)

    def in_order(self) -> tuple[Address, ...]:
        """Whom to try, first to last."""
        return tuple(self._order)

    def put_last(self, address: Address) -> None:
        """Try all others before this one."""
        if address in self._order:
            self._order.remove(address)
            self._order.append(address)

    def learn(self, told_by: Address, places: Sequence[str]) -> None:
        """Take the servers (`host:port`) that one tells of, instead of those it told of before."""
        known = {(address.host, address.port) for address in self._configured}
        learned = [
            address
            for address in (_beside(told_by, place) for place in places)
            if address is not None and (address.host, address.port) not in known
        ]
        kept = [address for address in self._order if address in self._configured or address in learned]
        fresh = [address for address in learned if address not in kept]
        random.shuffle(fresh)
        self._order = kept + fresh


def _beside(told_by: Address, place: str) -> Address | None:
    """The address of a server that `told_by` tells of: same login, and by its own name or that of who told."""
    try:
        told = read_address(place)
    except ValueError:
        return None
    try:
        ip_address(told.host)
        name = told_by.tls_name
    except ValueError:
        name = told.host
    return replace(told_by, host=told.host, port=told.port, tls_name=name)
