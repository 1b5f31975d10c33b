"""The commands that make one call each, made of their descriptions: `swarmwire daemon status` and all the others.

A daemon of your own that embeds a broker can offer the same ones, for itself:

    app = typer.Typer()
    operators.add_to(app, "daemon", "logs", broker="my-daemon")  # my-daemon daemon status, my-daemon logs -f
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from .brokercommands import BROKER_GROUPS, SINGLES
from .commands import Command, Group, Kind, Option
from .console import TimeoutOption, TokenOption, UrlOption
from .presencecommands import PRESENCE_GROUPS
from .taskcommands import TASK_GROUPS

__all__ = ["GROUPS", "add_to", "group", "names"]

GROUPS: dict[str, Group] = {group.name: group for group in (*BROKER_GROUPS, *PRESENCE_GROUPS, *TASK_GROUPS)}
"""The groups of commands by name."""

_SINGLES: dict[str, Command] = {single.name: single for single in SINGLES}

_TYPES: dict[Kind, type] = {
    Kind.NUMBER: int,
    Kind.REAL: float,
    Kind.FLAG: bool,
}
_METAVARS = {Kind.DURATION: "TIME", Kind.JSON: "JSON"}

_COMMON: dict[str, Any] = {
    "url": UrlOption,
    "token": TokenOption,
    "timeout": TimeoutOption,
    "as_json": Annotated[bool, typer.Option("--json", help="The answer as one line of JSON.")],
}


def add_to(app: typer.Typer, *wanted: str, broker: str | None = None) -> None:
    """Add groups and single commands (`health`, `logs`, `metrics`) to an application; without names, all of them.

    `daemon.status` adds that command of the group alone, as `status`. `broker` is the name of the broker that they
    look for on this machine where no `--url` is given.

    Raises:
        KeyError: there is none of this name.
    """
    for name in wanted or names():
        place, _, one = name.partition(".")
        if one:
            _add(app, _member(place, one), broker)
        elif name in GROUPS:
            app.add_typer(group(name, broker=broker))
        else:
            _add(app, _SINGLES[name], broker)


def names() -> list[str]:
    """All groups and single commands."""
    return [*GROUPS, *_SINGLES]


def group(name: str, *, broker: str | None = None, cls: Any = None) -> typer.Typer:
    """One group as an application of its own, to which others may be added. Raises KeyError."""
    described = GROUPS[name]
    extra = {} if cls is None else {"cls": cls}
    app = typer.Typer(name=name, help=described.help, no_args_is_help=True, **extra)
    app.callback(help=described.help)(_nothing)  # so that one command alone is a group too
    for one in described.commands:
        _add(app, one, broker)
    return app


def _nothing() -> None:
    """There is nothing to do before a command."""


def _member(name: str, one: str) -> Command:
    return {command.name: command for command in GROUPS[name].commands}[one]


def _add(app: typer.Typer, described: Command, broker: str | None) -> None:
    app.command(described.name, help=described.help)(_function(described, broker))


# ---- a function as Typer wants it


def _function(described: Command, broker: str | None) -> Callable[..., None]:
    def run(**given: Any) -> None:
        from .calling import run_command

        run_command(described, given, broker)

    parameters = [
        _parameter(_variable(option.name), _annotation(option), _default(option)) for option in _ordered(described)
    ]
    parameters += [_parameter(name, kind, False if name == "as_json" else None) for name, kind in _COMMON.items()]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__name__ = described.name
    run.__doc__ = described.help
    return run


def _variable(name: str) -> str:
    """A parameter's name as one of a function: what the command passes on is told apart from how it is asked."""
    return f"param_{name}"


def _ordered(described: Command) -> Iterable[Option]:
    return sorted(described.options, key=lambda option: bool(option.flags))


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _default(option: Option) -> Any:
    if option.required:
        return inspect.Parameter.empty
    return False if option.kind is Kind.FLAG and option.default is None else option.default


def _annotation(option: Option) -> Any:
    kind: Any = _TYPES.get(option.kind, str)
    if option.kind is Kind.TEXTS:
        kind = list[str]
    if not option.required and option.kind is not Kind.FLAG and option.default is None:
        kind = kind | None
    metavar = option.metavar or _METAVARS.get(option.kind)
    if option.flags:
        return Annotated[kind, typer.Option(*option.flags, help=option.help, metavar=metavar)]
    return Annotated[kind, typer.Argument(help=option.help, metavar=metavar or option.name.upper())]
