"""The last lines of the broker's own log, kept in memory for operators who look from afar."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import orjson
from msgspec import Raw

from ...core.settings import Limits
from ...logs import mask_secrets

__all__ = ["LEVELS", "LogRing", "Page"]

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
"""The levels by name, as the logging module counts them."""

_TREE: Final = "swarmwire"
_MOST_TEXT: Final = 8 * 1024
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_plain = logging.Formatter()


class _Line(NamedTuple):
    number: int
    level: int
    text: bytes


class Page(NamedTuple):
    """Some lines, as JSON; the number of the last that was looked at; and how many were let go before them."""

    lines: list[Raw]
    upto: int
    missed: int


class LogRing(logging.Handler):
    """Keeps what the loggers of Swarmwire say, the newest lines in a bounded number of bytes.

    A line is {number, ts, level, logger, message} with `fields` and `exception` where there are any; values of fields
    named like a secret are masked. `install` it, and `close` it; both are harmless twice.
    """

    def __init__(self, limits: Callable[[], Limits]) -> None:
        super().__init__()
        self._limits = limits
        self._lines: deque[_Line] = deque()
        self._bytes = 0
        self._last = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._followers: set[asyncio.Event] = set()

    @property
    def last(self) -> int:
        """The number of the newest line; 0 before the first."""
        return self._last

    def install(self) -> None:
        """Listen from now on; followers live on the loop that runs."""
        self._loop = asyncio.get_running_loop()
        logging.getLogger(_TREE).addHandler(self)

    def close(self) -> None:
        logging.getLogger(_TREE).removeHandler(self)
        self._loop = None
        super().close()

    # ---- the logger's side, in any thread

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._keep(record)
        except Exception:
            self.handleError(record)

    def _keep(self, record: logging.LogRecord) -> None:
        rest = _encoded(record)  # it may fail, and may log: only then is there a line that has a number
        number = self._last + 1
        line = _Line(number, record.levelno, b'{"number":%d,%b' % (number, rest[1:]))
        self._lines.append(line)
        self._bytes += len(line.text)
        self._last = number
        limits = self._limits()
        while self._lines and (len(self._lines) > limits.tail_lines or self._bytes > limits.tail_bytes):
            self._bytes -= len(self._lines.popleft().text)
        loop = self._loop
        if self._followers and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake)

    # ---- the reader's side, on the loop

    def newest(self, count: int, level: int) -> Page:
        """The newest lines of at least this level, in the order in which they were written."""
        with self._locked():
            chosen = [line.text for line in reversed(self._lines) if line.level >= level][:count]
            return Page([Raw(text) for text in reversed(chosen)], self._last, 0)

    def after(self, number: int, count: int, level: int) -> Page:
        """What came after a line, at most `count` lines of at least this level."""
        with self._locked():
            oldest = self._lines[0].number if self._lines else self._last + 1
            page = Page([], number, max(0, oldest - number - 1))
            upto = max(number, oldest - 1)
            for line in itertools.islice(self._lines, max(0, number + 1 - oldest), None):
                if line.level >= level:
                    if len(page.lines) == count:
                        break
                    page.lines.append(Raw(line.text))
                upto = line.number
            return page._replace(upto=upto)

    def follow(self) -> asyncio.Event:
        """An event that is set at each new line, until it is given back by `leave`.

        Raises:
            OverflowError: there are as many followers as there may be.
        """
        if len(self._followers) >= self._limits().max_tails:
            raise OverflowError
        woken = asyncio.Event()
        self._followers.add(woken)
        return woken

    def leave(self, woken: asyncio.Event) -> None:
        """Wake this one no more. Harmless twice."""
        self._followers.discard(woken)

    def _wake(self) -> None:
        for woken in self._followers:
            woken.set()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()


def _encoded(record: logging.LogRecord) -> bytes:
    """A record as JSON, all but its number."""
    fields = {name: value for name, value in vars(record).items() if name not in _STANDARD and name[:1] != "_"}
    message: str = ""
    if isinstance(record.msg, Mapping):  # how structlog hands its entries over
        fields |= record.msg
        message = str(fields.pop("event", ""))
        fields = {name: value for name, value in fields.items() if name not in ("level", "logger", "timestamp")}
    else:
        message = record.getMessage()
    line: dict[str, Any] = {
        "ts": int(record.created * 1000),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": _short(message),
    }
    if fields:
        line["fields"] = dict(_shown(fields))
    if record.exc_info and record.exc_info[0] is not None:
        line["exception"] = _short(_plain.formatException(record.exc_info), keep_end=True)
    return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS)


def _shown(fields: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in mask_secrets(None, "", fields).items():
        try:
            text = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
        except TypeError:  # lone surrogates, integers over 64 bits
            yield name, _short(ascii(value))
        else:
            yield name, value if len(text) <= _MOST_TEXT else _short(text.decode())


def _short(text: str, *, keep_end: bool = False) -> str:
    """A text that UTF-8 can hold, of a bounded length."""
    if len(text) > _MOST_TEXT:
        text = "..." + text[-_MOST_TEXT:] if keep_end else text[:_MOST_TEXT] + "..."
    return text.encode(errors="replace").decode()
