"""Options that may stand with a value or alone: `--unix` and `--unix PATH`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from typer.core import TyperCommand

__all__ = ["OptionalValues", "with_values"]


class OptionalValues(TyperCommand):
    """A command without arguments, some of whose options may do without their value.

    Attributes:
        optional: what each of these options means where it stands alone.
    """

    optional: ClassVar[Mapping[str, str]] = {}

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, with_values(args, self.optional))


def with_values(arguments: Iterable[str], optional: Mapping[str, str]) -> list[str]:
    """The arguments with a value behind every option: what follows an option and begins with a dash is none."""
    given = list(arguments)
    found: list[str] = []
    for number, argument in enumerate(given, 1):
        found.append(argument)
        if argument in optional and (number == len(given) or given[number].startswith("-")):
            found.append(optional[argument])
    return found
