"""A group of commands that is a command too: what is none of its commands belongs to the one named `run`."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

__all__ = ["DefaultRun"]

_HELP = ("--help", "--install-completion", "--show-completion")


class DefaultRun(TyperGroup):
    """`worker app:worker -n 4` is `worker run app:worker -n 4`; a command of the group goes before a module."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in _HELP:
            args = ["run", *args]
        return super().parse_args(ctx, args)
