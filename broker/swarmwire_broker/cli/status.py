"""`swarmwire status`: whether a broker answers, who it is, and how it is doing."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import typer

from .console import FAILED, TokenOption, UrlOption, emit, run_async

if TYPE_CHECKING:
    from swarmwire import Client

__all__ = ["figures_of", "http_url", "status"]

_TIMEOUT = 5.0
_MOST = 1 << 20
_WITH_ROUTES = {"ws": "http", "wss": "https", "http": "http", "https": "https"}
_FIGURES = (
    *("connections", "subscriptions", "queue_bytes", "catching_up", "log_events", "log_bytes"),
    *("publishes_total", "deliveries_total", "errors_total", "gaps_total", "drops_total"),
)


def status(
    url: UrlOption = None,
    token: TokenOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Connect to a broker and tell how it is.

    Exits with 0 if it is up and ready, 1 if it is not ready or refuses the login, 2 if nothing answers.
    """
    found = run_async(_ask(url, token))
    if as_json:
        from .rendering import compact

        emit(compact(found))
    else:
        _print(found)
    if found["ready"] is False:
        raise typer.Exit(FAILED)


async def _ask(url: str | None, token: str | None) -> dict[str, Any]:
    from .connection import connected

    async with connected(url, token, "swarmwire status", reconnect=False) as client:
        latency = await client.ping()
        place = await _place_of_routes(client, token)
        ready, metrics = await asyncio.gather(
            asyncio.to_thread(_get, http_url(place, "/readyz"), token),
            asyncio.to_thread(_get, http_url(place, "/metrics"), token),
        )
        return _facts(client) | {
            "url": client.url,
            "latency_ms": round(latency, 3),
            "ready": None if ready[0] not in (200, 503) else ready[0] == 200,
            "figures": figures_of(metrics[1]) if metrics[0] == 200 else None,
        }


def _facts(client: Client) -> dict[str, Any]:
    import msgspec

    server, identity = client.server, client.identity
    return {
        "server": msgspec.to_builtins(server),
        "identity": msgspec.to_builtins(identity),
        "durability": client.durability,
        "limits": client.limits,
    }


async def _place_of_routes(client: Client, token: str | None) -> str:
    """Where the routes of HTTP are: of a broker that was found at its socket or pipe at the usual port, if at all."""
    from swarmwire import DEFAULT_URL, SwarmwireError, connect

    if client.url is None or urlsplit(client.url).scheme in _WITH_ROUTES:
        return client.url or ""
    name = client.server.name if client.server is not None else None
    try:
        other = await connect(DEFAULT_URL, broker=name, token=token, reconnect=False)
    except SwarmwireError:
        return ""
    await other.disconnect()
    return DEFAULT_URL if other.server == client.server else ""


def http_url(url: str, path: str) -> str:
    """The address of an HTTP route: `ws://host/a/ws` or `http://host/a` and `/readyz` give `http://host/a/readyz`."""
    parts = urlsplit(url)
    scheme = _WITH_ROUTES.get(parts.scheme, parts.scheme)
    base = parts.path.rstrip("/") if scheme == parts.scheme else parts.path.rpartition("/")[0]
    return urlunsplit((scheme, parts.netloc.rpartition("@")[2], base + path, "", ""))


def _get(url: str, token: str | None) -> tuple[int, str]:
    """Status and body; 0 where nothing answers. No proxy is asked, and the token follows no redirect."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        request = urllib.request.Request(url)
        if token is not None:
            request.add_unredirected_header("Authorization", f"Bearer {token}")
        with opener.open(request, timeout=_TIMEOUT) as response:
            return response.status, response.read(_MOST).decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""
    except (OSError, ValueError):
        return 0, ""


def figures_of(metrics: str) -> dict[str, float]:
    """The key figures in a text of Prometheus, labels of one name added up."""
    figures: dict[str, float] = {}
    for line in metrics.splitlines():
        name, _, value = line.rpartition(" ")
        short = name.partition("{")[0].removeprefix("swarmwire_")
        if not line.startswith("#") and short in _FIGURES:
            figures[short] = figures.get(short, 0.0) + float(value)
    return figures


def _print(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for label, text in _rows(found):
        table.add_row(Text(label, "dim"), Text(text))
    console = Console(highlight=False)
    with console.capture() as captured:
        console.print(table)
    emit(captured.get().rstrip("\n"))


def _rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    server, identity = found["server"], found["identity"]
    ready = {True: "yes", False: "no", None: "not told (no /readyz there)"}[found["ready"]]
    rows = [
        ("broker", f"{server['name']} {server['version']} at {found['url']}"),
        ("id", f"{server['id']} (process {server['pid']})"),
        ("ready", ready),
        ("latency", f"{found['latency_ms']:.1f} ms"),
        ("identity", identity["subject"]),
        ("may", _permissions(identity.get("permissions", {}))),
        ("durability", found["durability"]),
    ]
    rows += [(name, _number(value)) for name, value in (found["figures"] or {}).items()]
    return rows + [(f"limit {name}", _number(value)) for name, value in sorted(found["limits"].items())]


def _permissions(permissions: dict[str, Any]) -> str:
    granted = [(kind, permissions.get(kind)) for kind in ("publish", "subscribe", "call")]
    words = [f"{kind} {', '.join(patterns)}" for kind, patterns in granted if patterns]
    words += [flag for flag in ("admin", "observe") if permissions.get(flag)]
    return "; ".join(words) or "nothing"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:,.0f}"
