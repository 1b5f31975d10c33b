"""The command line: one module a command. What a command needs is imported when it runs, so help is quick."""

from __future__ import annotations

from typing import Annotated

import typer

from . import call, lock, operators, pub, registry, serve, status, sub, token, worker
from .defaultrun import DefaultRun

__all__ = ["app", "run"]

app = typer.Typer(
    name="swarmwire",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and so secrets
    help="A realtime publish/subscribe broker for agents, tasks and swarms.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from ..version import VERSION

        typer.echo(f"swarmwire {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The options before the command."""


app.command(cls=serve.ServeCommand)(serve.serve)
for command in (pub.pub, sub.sub, call.call, status.status, token.token):
    app.command()(command)
_registry = operators.group("registry")
_registry.command()(registry.watch)
app.add_typer(_registry)
_workers = operators.group("worker", cls=DefaultRun)
_workers.command()(worker.run)
app.add_typer(_workers)
_locks = operators.group("lock", cls=DefaultRun)
_locks.command()(lock.run)
app.add_typer(_locks)
operators.add_to(app, *(name for name in operators.names() if name not in ("registry", "worker", "lock")))


def run() -> int:
    """Run the command line with the arguments of the process; returns the exit code."""
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return 0
