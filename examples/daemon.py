"""A daemon of your own with everything that operators expect of one, in a few lines.

It embeds a broker, answers a method of its own, and has the commands `status`, `stop`, `reload`, `health` and `logs`
for itself, which are those of `swarmwire daemon`. In one terminal:

    python examples/daemon.py run

and in another:

    python examples/daemon.py greet Ada
    python examples/daemon.py status
    python examples/daemon.py logs -f
    python examples/daemon.py stop

Its settings are a broker's: `./swarmwire.toml`, or the file that SWARMWIRE_CONFIG names; `reload` reads them again.
"""

from __future__ import annotations

import logging
from typing import Any

import typer

from swarmwire_broker.cli import operators
from swarmwire_broker.cli.console import run_async

NAME = "greeter"
"""The name by which its commands find it on this machine."""

log = logging.getLogger("swarmwire.greeter")  # below `swarmwire`, so that `logs` shows it

app = typer.Typer(name="daemon", no_args_is_help=True, help="A daemon that greets.", pretty_exceptions_enable=False)
operators.add_to(app, "daemon.status", "daemon.stop", "daemon.reload", "health", "logs", broker=NAME)


@app.command()
def run() -> None:
    """Greet until told to stop: by `stop`, Ctrl-C or SIGTERM."""
    from swarmwire_broker import Config, Server
    from swarmwire_broker.config import load_config
    from swarmwire_broker.logs import configure_logging
    from swarmwire_broker.process import run as run_server

    def load() -> Config:
        return load_config({"name": NAME, "port": 0})

    config = load()
    configure_logging(config.log_level, config.log_format)
    server = Server(config, load=load)

    @server.broker.handler("greeter.greet")
    async def greet(params: dict[str, Any]) -> dict[str, str]:
        log.info("greeting", extra={"who": params["name"]})
        return {"greeting": f"Hello, {params['name']}!"}

    raise typer.Exit(run_server(server, on_started=lambda _: log.info("ready to greet")))


@app.command()
def greet(name: str) -> None:
    """Have somebody greeted."""
    from swarmwire import connect

    async def ask() -> str:
        async with connect(broker=NAME, reconnect=False) as client:
            answer = await client.call("greeter.greet", {"name": name})
            return str(answer["greeting"])

    typer.echo(run_async(ask()))


if __name__ == "__main__":
    app()
