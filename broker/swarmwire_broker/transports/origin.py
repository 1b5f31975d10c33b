"""Which web pages may talk to the broker: the checks of the Host and Origin headers.

A browser lets any page open a WebSocket to any address, the loopback one too. It states the page in Origin
and the name it connected by in Host. Host guards against a foreign name that was made to point here, Origin
against a foreign page. Programs that are no browsers send no Origin, and may claim any Host.

A broker that listens on loopback only is, by default, for pages and names of this machine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

__all__ = ["FOREIGN_PAGE", "Sites", "check_allow_lists", "check_host", "check_origin", "is_loopback"]

_WEB = {"http": "http", "ws": "http", "https": "https", "wss": "https"}
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_NAME = 253
_DECISIONS = 256
_SHORT = 512

FOREIGN_PAGE = "Pages of this origin may not connect (allowed_origins)."
"""What a page hears that is of no allowed site."""
_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_AUTHORITY = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[^\[\]:/?#@\\\s]+)(:(?P<port>[0-9]{1,5}))?")
_ORIGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?#@\\\s]+)")


class _Authority(NamedTuple):
    host: str
    port: int | None


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int


class Sites:
    """Both checks for one broker. Its last decisions are remembered: most requests have the same headers."""

    def __init__(
        self, *, bound_host: str, allowed_hosts: Sequence[str] = (), allowed_origins: Sequence[str] = ()
    ) -> None:
        self._bound_host = bound_host
        self._hosts = tuple(allowed_hosts)
        self._origins = tuple(allowed_origins)
        self._known = lru_cache(_DECISIONS)(self._decide)

    def refusal(self, host: str | None, origin: str | None, scheme: str) -> str | None:
        """Why a request is not answered, in a sentence; None where it is."""
        is_short = len(host or "") + len(origin or "") <= _SHORT
        return self._known(host, origin, scheme) if is_short else self._decide(host, origin, scheme)

    def _decide(self, host: str | None, origin: str | None, scheme: str) -> str | None:
        bound = self._bound_host
        if not check_host(host, bound_host=bound, allowed_hosts=self._hosts):
            return "This host name is not one of the broker's (allowed_hosts)."
        if not check_origin(origin, host, bound_host=bound, allowed_origins=self._origins, scheme=scheme):
            return FOREIGN_PAGE
        return None


def check_host(host: str | None, *, bound_host: str, allowed_hosts: Sequence[str] = ()) -> bool:
    """Whether a request with this Host header may be answered.

    `bound_host` is the address the broker listens on. A loopback one answers to names of this machine and to
    the listed ones; any other to the listed ones, or to every well-formed Host where none is listed. An entry
    is `name`, `name:port`, or `*` for any. A missing or malformed Host never passes.
    """
    authority = _authority(host)
    if authority is None:
        return False
    if any(_host_fits(authority, entry) for entry in allowed_hosts):
        return True
    return is_loopback(authority.host) if is_loopback(bound_host) else not allowed_hosts


def check_origin(
    origin: str | None,
    host: str | None,
    *,
    bound_host: str,
    allowed_origins: Sequence[str] = (),
    scheme: str = "http",
) -> bool:
    """Whether the page that sends the request may talk to the broker.

    The same origin as `host` may, and the listed ones; where none is listed and the broker listens on
    loopback, every page of this machine may. An entry is `https://app.example.org`, `null`, or `*` for any.
    A request without an Origin passes: it is not from a page. `scheme` is the one the connection came by
    (`http`, `ws`, `https`, `wss`): over TLS only a page that came over TLS itself is the same origin.
    """
    if origin is None or "*" in allowed_origins:
        return True
    page = _origin(origin)
    if any(_origin_fits(origin, page, entry) for entry in allowed_origins):
        return True
    if page is None:
        return False
    if not allowed_origins and is_loopback(bound_host) and is_loopback(page.host):
        return True
    return _same_origin(page, _authority(host), scheme)


def check_allow_lists(*, allowed_origins: Sequence[str] = (), allowed_hosts: Sequence[str] = ()) -> None:
    """Raise ValueError for an entry that could never match, so that a slip is seen at the start."""
    for entry in allowed_hosts:
        if entry != "*" and _authority(entry) is None:
            raise ValueError(f"allowed_hosts: expected `name`, `name:port` or `*`, got {entry!r}")
    for entry in allowed_origins:
        if entry not in ("*", "null") and not _is_origin(entry):
            raise ValueError(f"allowed_origins: expected `https://name[:port]`, `null` or `*`, got {entry!r}")


def is_loopback(host: str) -> bool:
    """Whether a name or an address, with or without brackets, is this machine and no other."""
    name = _host_name(host.lower())
    if name is None:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    return name == "::1" or (name.startswith("127.") and _is_address(name))


def _host_fits(authority: _Authority, entry: str) -> bool:
    if entry == "*":
        return True
    listed = _authority(entry)
    if listed is None or listed.host != authority.host:
        return False
    # A Host without a port stands for a default one, by a scheme that only the browser knows.
    ports = (80, 443) if authority.port is None else (authority.port,)
    return listed.port is None or listed.port in ports


def _origin_fits(origin: str, page: _Origin | None, entry: str) -> bool:
    if page is None:
        # What is no web origin (`null`, a browser extension's) is compared as it is written.
        return origin.lower() == entry.lower()
    return page == _origin(entry)


def _same_origin(page: _Origin, host: _Authority | None, scheme: str) -> bool:
    if host is None or (_WEB.get(scheme.lower()) == "https" and page.scheme != "https"):
        return False
    # Browsers leave the default port out, and the page's scheme is the browser's own word for it:
    # behind a proxy that ends TLS the broker's scheme is http where the page's is https.
    port = _DEFAULT_PORTS[page.scheme] if host.port is None else host.port
    return (page.host, page.port) == (host.host, port)


def _authority(value: str | None) -> _Authority | None:
    match = _AUTHORITY.fullmatch(value.lower()) if value is not None else None
    name = _host_name(match["host"]) if match else None
    if match is None or name is None:
        return None
    if match["port"] is None:
        return _Authority(name, None)
    port = int(match["port"])
    return _Authority(name, port) if 1 <= port <= 65535 else None


def _origin(value: str) -> _Origin | None:
    match = _ORIGIN.fullmatch(value.lower())
    authority = _authority(match["authority"]) if match else None
    scheme = _WEB.get(match["scheme"]) if match else None
    if authority is None or scheme is None:
        return None
    port = _DEFAULT_PORTS[scheme] if authority.port is None else authority.port
    return _Origin(scheme, authority.host, port)


def _is_origin(entry: str) -> bool:
    match = _ORIGIN.fullmatch(entry.lower())
    return match is not None and (match["scheme"] not in _WEB or _origin(entry) is not None)


def _host_name(host: str) -> str | None:
    """A lower-case host in the one form it is compared in, or None if it is none."""
    if host.startswith("[") and host.endswith("]"):
        return _ipv6(host[1:-1])
    if ":" in host:
        return _ipv6(host)
    name = host.removesuffix(".")
    return name if len(name) <= _MAX_NAME and _NAME.fullmatch(name) else None


def _ipv6(text: str) -> str | None:
    try:
        address = IPv6Address(text)
    except ValueError:
        return None
    return str(address.ipv4_mapped or address)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
