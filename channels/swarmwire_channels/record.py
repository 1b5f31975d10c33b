"""What every event of the channels carries, and how it becomes JSON and is read again."""

from __future__ import annotations

import re
import time
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

__all__ = [
    "Count",
    "Fault",
    "Finite",
    "Milliseconds",
    "Number",
    "Part",
    "Percent",
    "Record",
    "from_data",
    "now_ms",
    "to_data",
]

_LARGEST = 1.7976931348623157e308
_MAX_INT = 2**53 - 1

Finite = Annotated[float, Meta(ge=-_LARGEST, le=_LARGEST)]
"""A number that JSON can write."""

Number = Annotated[float, Meta(ge=0, le=_LARGEST)]
"""A finite number that is not negative."""

Percent = Annotated[float, Meta(ge=0, le=100)]
"""A number from 0 to 100."""

Count = Annotated[int, Meta(ge=0, le=_MAX_INT)]
"""A whole number from 0 that every JSON parser reads exactly."""

Milliseconds = Count
"""A time in milliseconds since 1970."""


def now_ms() -> int:
    """The time of this machine's clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Record(Struct, rename="camel", kw_only=True, frozen=True):
    """The payload of one event. Names are snake_case here and camelCase on the wire.

    `timestamp` is when it happened by the publisher's clock, in milliseconds since 1970 (default: now).
    An optional field that is None is left out on the wire; a field that this version does not know is ignored.
    """

    timestamp: Milliseconds = msgspec.field(default_factory=now_ms)


class Part(Struct, rename="camel", kw_only=True, frozen=True, omit_defaults=True):
    """A part of a record."""


class Fault(Part, frozen=True, kw_only=True):
    """What went wrong: a sentence, and where known a code, a stack trace, and whether work can go on."""

    message: str
    code: str | None = None
    stack: str | None = None
    recoverable: bool | None = None

    @classmethod
    def of(cls, error: Fault | BaseException | str) -> Fault:
        """The fault that an exception or a sentence stands for.

        Of an exception it holds the text and the name, never the stack: that names files of this machine.
        """
        match error:
            case Fault():
                return error
            case str():
                return cls(message=error)
            case SwarmwireError():
                return cls(message=error.message, code=error.code.value)
            case _:
                return cls(message=str(error) or type(error).__name__, code=type(error).__name__)


R = TypeVar("R", bound=Record)


def to_data(record: Record) -> dict[str, Any]:
    """The record as plain data that any JSON encoder takes.

    Raises:
        SwarmwireError: INVALID_MESSAGE with the field, where a value is not what the record promises. Records are
            not checked when they are made, so this is where a progress of 101 is found.
    """
    kind = type(record)
    try:
        data: dict[str, Any] = msgspec.to_builtins(record, str_keys=True)
        present = {name: value for name, value in data.items() if value is not None}
        msgspec.convert(present, kind)
    except (msgspec.MsgspecError, TypeError, RecursionError, UnicodeError) as error:
        raise _misfit(kind, error) from error
    return present


def from_data(data: Any, kind: type[R], ts: int) -> R:
    """Read a record of this kind from an event's data; `ts` (ms) stands in for a missing timestamp.

    Raises:
        SwarmwireError: INVALID_MESSAGE with the field at fault.
    """
    if isinstance(data, dict) and "timestamp" not in data:
        data = {**data, "timestamp": ts}
    try:
        return msgspec.convert(data, kind)
    except (msgspec.MsgspecError, TypeError, RecursionError, UnicodeError) as error:
        raise _misfit(kind, error) from error


# ---- Saying what does not fit

_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"missing required field `(?P<name>\w+)`")
_LONGEST = 200


def _misfit(kind: type[Record], error: Exception) -> SwarmwireError:
    said, path = str(error), ""
    if found := _PATH.search(said):
        said, path = said[: found.start()], found["path"]
    if missing := _MISSING.search(said):
        path = f"{path}.{missing['name']}" if path else missing["name"]
    sentence = said.replace("`", "")[:_LONGEST].encode("unicode_escape").decode()
    return SwarmwireError(
        ErrorCode.INVALID_MESSAGE,
        f"The data is no {kind.__name__}: {sentence}.",
        field=f"data.{path}" if path else "data",
    )
