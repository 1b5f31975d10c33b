"""Structured logs: one line an event, as text for people or as JSON for machines.

    configure_logging("info", "json")
    logging.getLogger("swarmwire.broker").info("client connected", extra={"client_id": "a1b2"})
    structlog.get_logger("swarmwire.broker").info("client connected", client_id="a1b2")

Both ways give the same line. Values of fields named like a secret are masked, wherever they are nested.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from typing import IO, Any

import orjson
import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from .config import LogFormat, LogLevel

__all__ = ["MASK", "change_level", "configure_logging", "is_configured", "mask_secrets"]

MASK = "***"
"""What stands in place of a secret."""

_SECRET_NAMES = ("authorization", "password", "secret", "token")
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_DEPTH = 8
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


class _Handler(logging.StreamHandler[IO[str]]):
    """The one handler of this module, to be known again when logging is configured once more."""


def configure_logging(level: LogLevel = "info", format: LogFormat = "auto", stream: IO[str] | None = None) -> None:
    """Send all logs of the process to `stream` (stderr by default), from `level` up.

    Loggers of other libraries are shown from warnings up, uvicorn's too unless the level is debug. Calling it again
    replaces what it did before; handlers that others installed stay.
    """
    stream = sys.stderr if stream is None else stream
    text = format == "text" or (format == "auto" and stream.isatty())
    handler = _Handler(stream)
    handler.setFormatter(_formatter(text, colors=stream.isatty()))
    _install(handler, _LEVELS[level])
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *_shared(), ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def is_configured() -> bool:
    """Whether `configure_logging` is what decides about the logs of this process."""
    return bool(_installed())


def change_level(level: LogLevel) -> None:
    """Log from another level up. Where somebody else has configured logging it stays theirs."""
    if is_configured():
        _set_levels(_LEVELS[level])


def _installed() -> list[logging.Handler]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, _Handler)]


def _install(handler: logging.Handler, level: int) -> None:
    root = logging.getLogger()
    for former in _installed():
        root.removeHandler(former)
    root.addHandler(handler)
    _set_levels(level)


def _set_levels(level: int) -> None:
    quiet = max(level, logging.WARNING)
    logging.getLogger().setLevel(quiet)
    logging.getLogger("swarmwire").setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(level if level == logging.DEBUG else quiet)


def _shared() -> list[Processor]:
    """What happens to every entry, whichever kind of logger it came from."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _drop_leftovers,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _formatter(text: bool, colors: bool) -> ProcessorFormatter:
    last: list[Processor] = [ProcessorFormatter.remove_processors_meta, mask_secrets]
    if text:
        plain = structlog.dev.plain_traceback  # the other one shows local variables, and so secrets
        last += [_escape, structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]
    else:
        last += [structlog.processors.format_exc_info, _render_json]
    return ProcessorFormatter(foreign_pre_chain=_shared(), processors=last)


def _drop_leftovers(_logger: WrappedLogger, _method: str, entry: EventDict) -> EventDict:
    """What formatters of other handlers left on a record is no `extra`; logging lets none have these names."""
    if "_record" in entry:
        entry.pop("message", None)
        entry.pop("asctime", None)
    return entry


def mask_secrets(_logger: WrappedLogger, _method: str, entry: EventDict) -> EventDict:
    """A structlog processor that masks the values of fields named like a secret."""
    return {name: _masked(name, value, _DEPTH) for name, value in entry.items()}


def _masked(name: object, value: Any, depth: int) -> Any:
    if isinstance(name, str) and name.lower().endswith(_SECRET_NAMES) and value is not None:
        return MASK
    if depth == 0:
        return value
    if isinstance(value, Mapping):
        return {key: _masked(key, item, depth - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(None, item, depth - 1) for item in value]
    return value


def _escape(_logger: WrappedLogger, _method: str, entry: EventDict) -> EventDict:
    """What a client sent must not write to the terminal, nor look like a second line."""
    return {name: value.translate(_CONTROLS) if isinstance(value, str) else value for name, value in entry.items()}


def _render_json(_logger: WrappedLogger, _method: str, entry: EventDict) -> str:
    try:
        return orjson.dumps(entry, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # lone surrogates, integers over 64 bits: a log line must not fail
        return json.dumps(entry, default=str, skipkeys=True)
