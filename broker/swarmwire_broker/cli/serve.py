"""`swarmwire serve`: run a broker."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from .console import failures
from .optionalvalues import OptionalValues

if TYPE_CHECKING:
    from ..config import Config
    from ..server import Server

__all__ = ["ServeCommand", "flags_of", "serve"]

_EXAMPLE = "Example: --set limits.max_connections=500 --set rates.client_messages=100,200"


class ServeCommand(OptionalValues):
    """How `serve` reads its options."""

    optional: ClassVar[Mapping[str, str]] = {"--unix": "auto", "--pipe": "auto"}


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen at.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.", show_default="8765")] = None,
    unix: Annotated[
        str | None, typer.Option(metavar="[PATH]", help="Unix socket; off for none.", show_default="by the name")
    ] = None,
    pipe: Annotated[
        str | None, typer.Option(metavar="[NAME]", help="Named pipe; alone, by the broker's name.", show_default="off")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file.", show_default="./swarmwire.toml")] = None,
    data: Annotated[str | None, typer.Option(help="Directory to keep the log in.", show_default="in memory")] = None,
    nats: Annotated[str | None, typer.Option(metavar="URL", help="NATS servers to share the log of, by comma.")] = None,
    nats_space: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which log of theirs.", show_default="main")
    ] = None,
    sync: Annotated[str | None, typer.Option(help="Against power loss: full or normal.", show_default="full")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the broker.", show_default="swarmwire")] = None,
    token: Annotated[str | None, typer.Option(help="Shared token; a file is safer.")] = None,
    token_file: Annotated[str | None, typer.Option(help="File with the shared token.")] = None,
    jwt_secret_file: Annotated[str | None, typer.Option(help="File with the secret of JWTs.")] = None,
    jwt_public_key_file: Annotated[str | None, typer.Option(help="PEM file with the public key of JWTs.")] = None,
    jwks_url: Annotated[str | None, typer.Option(help="Address of the public keys of JWTs.")] = None,
    algorithms: Annotated[str | None, typer.Option(help="Accepted algorithms of JWTs, by comma.")] = None,
    insecure: Annotated[bool | None, typer.Option("--insecure", help="Serve other machines without any login.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.", show_default="info")] = None,
    log_format: Annotated[str | None, typer.Option(help="auto, text or json.", show_default="auto")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help=f"Any setting. {_EXAMPLE}")
    ] = None,
) -> None:
    """Run a broker until it is told to stop (Ctrl-C or SIGTERM).

    Flags win over SWARMWIRE_* variables, these over the TOML file, this over defaults.
    """
    with failures():
        from ..config import load_config

        named: dict[str, object] = {
            "host": host,
            "port": port,
            "unix": unix,
            "pipe": pipe,
            "data": data,
            "sync": sync,
            "nats": nats,
            "nats_space": nats_space,
            "name": name,
            "insecure": insecure,
            "log_level": log_level,
            "log_format": log_format,
            "auth.token": token,
            "auth.token_file": token_file,
            "auth.jwt_secret_file": jwt_secret_file,
            "auth.jwt_public_key_file": jwt_public_key_file,
            "auth.jwks_url": jwks_url,
            "auth.algorithms": algorithms,
        }
        flags = flags_of(named, settings or [])
        raise typer.Exit(_run(lambda: load_config(flags, file=config)))


def flags_of(named: dict[str, object], assignments: list[str]) -> dict[str, object]:
    """The settings that flags gave, by name. Raises ConfigError for one given twice, or without a value."""
    from ..config import ConfigError

    flags = {name: value for name, value in named.items() if value is not None}
    for assignment in assignments:
        name, sign, text = assignment.partition("=")
        if not sign:
            raise ConfigError(f"--set {name}: expected NAME=VALUE", name)
        if name in flags:
            raise ConfigError(f"{name} is given twice on the command line", name)
        flags[name] = text
    return flags


def _run(load: Callable[[], Config]) -> int:
    from ..logs import configure_logging
    from ..process import run

    config = load()
    configure_logging(config.log_level, config.log_format)
    if "SWARMWIRE_TOKEN" in os.environ and not config.auth.configured:
        logging.getLogger("swarmwire.broker").warning(
            "SWARMWIRE_TOKEN is what clients send and is not used by the broker; set SWARMWIRE_AUTH_TOKEN"
        )
    return run(config, load=load, on_started=lambda server: _announce(config, server))


def _announce(config: Config, server: Server) -> None:
    """Say where the broker listens, how clients log in, and how to try it."""
    if config.log_format == "json" or (config.log_format == "auto" and not sys.stderr.isatty()):
        facts: dict[str, object] = {"url": server.url, "urls": server.urls, "login": config.auth.describe()}
        if config.nats:
            facts |= {"nats": config.nats_servers, "nats_space": config.nats_space}
        logging.getLogger("swarmwire.broker").info("listening", extra=facts)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    urls = server.urls
    for label, text in _lines(config, urls):
        console.print(Text.assemble((f"{label:>9}", "dim"), "  ", (text, "bold green" if text in urls else "")))


def _lines(config: Config, urls: list[str]) -> list[tuple[str, str]]:
    from swarmwire import DEFAULT_URL

    url, *others = urls
    more = "" if url == DEFAULT_URL else f" --url {url}"
    more += " --token TOKEN" if config.auth.configured else ""
    return [
        ("swarmwire", url),
        *(("", other) for other in others),
        *(("dashboard", f"{other}/") for other in others if config.dashboard and other.startswith("http")),
        *((("log", f"space {config.nats_space} at {', '.join(config.nats_servers)}"),) if config.nats else ()),
        ("login", config.auth.describe()),
        ("try", f"swarmwire sub '#'{more}"),
        ("", f"swarmwire pub hello.world hi{more}"),
        ("stop", "Ctrl-C"),
    ]
