"""Events as lines: JSON for pipes, one readable line for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from .console import emit

if TYPE_CHECKING:
    from rich.text import Text

    from swarmwire import Event, Gap

__all__ = ["compact", "event_record", "gap_record", "json_printer", "printable", "text_printer"]


def event_record(event: Event) -> dict[str, Any]:
    """An event as the wire has it, with its cursor; what it does not have is left out."""
    record = {
        "type": "event",
        "topic": event.topic,
        "seq": event.seq,
        "ts": event.ts,
        "cursor": event.cursor,
        "from": event.sender,
        "headers": event.headers or None,
        "skipped": event.skipped,
        "clear": event.clear or None,
    }
    return {name: value for name, value in record.items() if value is not None} | {"data": event.data}


def gap_record(gap: Gap) -> dict[str, Any]:
    """A gap as the wire has it, with its pattern."""
    record: dict[str, Any] = {"type": "gap", "pattern": gap.pattern, "from": gap.start, "to": gap.end}
    record["reason"] = gap.reason
    return record if gap.dropped is None else record | {"dropped": gap.dropped}


def compact(value: object) -> str:
    """A value as JSON in one line."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # lone surrogates and integers over 64 bits are JSON too
        return json.dumps(value, separators=(",", ":"))


def json_printer() -> Callable[[Event | Gap], None]:
    """A function that prints one JSON object a line and flushes it."""
    from swarmwire import Gap

    def show(item: Event | Gap) -> None:
        emit(compact(gap_record(item) if isinstance(item, Gap) else event_record(item)))

    return show


def text_printer() -> Callable[[Event | Gap], None]:
    """A function that prints a line for people: in colours and cut to the width if it is a terminal."""
    from rich.console import Console

    from swarmwire import Gap

    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)

    def show(item: Event | Gap) -> None:
        line = _gap_line(item) if isinstance(item, Gap) else _event_line(item)
        if console.is_terminal:
            line.truncate(console.width, overflow="ellipsis")
        with console.capture() as captured:
            console.print(line, end="")
        emit(captured.get())

    return show


def _event_line(event: Event) -> Text:
    when = datetime.fromtimestamp(event.ts / 1000).strftime("%H:%M:%S.%f")[:-3]
    return _line(
        (when, "dim"),
        (event.topic, "bold cyan"),
        ("live" if event.seq is None else f"#{event.seq}", "green"),
        (event.sender or "-", "magenta"),
        (f"(+{event.skipped} skipped)" if event.skipped else "", "yellow"),
        ("(cleared)" if event.clear else "", "yellow"),
        (compact(event.data), ""),
    )


def _gap_line(gap: Gap) -> Text:
    lost = "events may be missing" if gap.dropped is None else f"{gap.dropped} events are missing"
    what = f"{lost} ({gap.reason}): {gap.start} to {gap.end}"
    return _line(("gap", "bold red"), (gap.pattern, "cyan"), (what, "red"))


def _line(*parts: tuple[str, str]) -> Text:
    from rich.text import Text

    pieces = [(printable(text), style) for text, style in parts if text]
    return Text("  ", no_wrap=True, end="").join(Text(text, style) for text, style in pieces)


def printable(text: str) -> str:
    """What an event holds must not steer the terminal."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "\ufffd" for char in text)
