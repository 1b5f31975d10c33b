"""What a command that makes one call is: its method, what it takes, and how its answer is shown."""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple, TypeAlias

__all__ = [
    "DAY",
    "PAGE",
    "REASON",
    "Column",
    "Command",
    "Facts",
    "Group",
    "Kind",
    "Lines",
    "Option",
    "Sentence",
    "Show",
    "Table",
    "View",
    "field_at",
]

DAY = 86_400.0
"""The seconds that a command waits for an answer that has all the time it needs."""


class Kind(Enum):
    """How the text of an argument becomes a parameter."""

    TEXT = "text"
    NUMBER = "number"
    REAL = "real"
    FLAG = "flag"
    TEXTS = "texts"
    """Several of them: the option may be given several times."""
    DURATION = "duration"
    """As in 90s; milliseconds on the wire."""
    JSON = "json"
    VALUE = "value"
    """JSON, or else text."""


class Option(NamedTuple):
    """One parameter of a method on the command line.

    Attributes:
        name: of the parameter.
        flags: how the option is written; without any it is an argument, by its place.
        required: an argument that must be given; one that need not be comes last.
        default: what is sent where nothing is given; None: nothing.
        metavar: what stands for the value in the help.
    """

    name: str
    help: str
    flags: tuple[str, ...] = ()
    kind: Kind = Kind.TEXT
    required: bool = False
    default: Any = None
    metavar: str | None = None


class Show(Enum):
    """How a cell is written."""

    PLAIN = "plain"
    AGO = "ago"
    """A time in milliseconds since 1970, as how long ago it was."""
    SPAN = "span"
    """Milliseconds, as 1.5s or 3m."""
    BYTES = "bytes"
    PERCENT = "percent"


class Column(NamedTuple):
    """A column: its title, and the path of the field (`a.b`) in each row."""

    title: str
    path: str
    show: Show = Show.PLAIN


class Table(NamedTuple):
    """A table of the rows under `key`, with the other fields of the answer below it where they are named."""

    key: str
    columns: tuple[Column, ...]
    totals: tuple[str, ...] = ()
    nothing: str = "none"


class Facts(NamedTuple):
    """A line for each field, those of objects within under dotted names; of `key` alone where it is there."""

    key: str | None = None
    shows: tuple[tuple[str, Show], ...] = ()


class Sentence(NamedTuple):
    """One sentence, in which {path} stands for a field of the answer."""

    template: str


class Lines(NamedTuple):
    """The entries under `key`, each as a line of a log."""

    key: str


View: TypeAlias = Table | Facts | Sentence | Lines


class Command(NamedTuple):
    """A command that makes one call.

    Attributes:
        help: what it does, as a sentence that ends with a period.
        streams: whether replies are shown as they come; Ctrl-C is then the usual end.
        timeout: seconds to wait for the answer, where `--timeout` does not say; None: the client's own.
        is_bad: a field and its values at which the command exits with 1 although there is an answer.
    """

    name: str
    method: str
    help: str
    view: View
    options: tuple[Option, ...] = ()
    streams: bool = False
    timeout: float | None = None
    is_bad: tuple[str, tuple[Any, ...]] | None = None


class Group(NamedTuple):
    """Commands below one name."""

    name: str
    help: str
    commands: tuple[Command, ...]


def field_at(answer: Any, path: str) -> Any:
    """The field of an answer at a dotted path; None where there is none."""
    for name in path.split("."):
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer


PAGE = (
    Option("limit", "At most so many.", ("--limit", "-n"), Kind.NUMBER, default=100),
    Option("offset", "Leave out so many first.", ("--offset",), Kind.NUMBER),
)
"""Which part of a list is shown."""

REASON = Option("reason", "Why, for whoever looks.", ("--reason",))
