"""Signals of the operating system, heard by the event loop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["handled"]


@contextmanager
def handled(number: signal.Signals, callback: Callable[[], object]) -> Iterator[None]:
    """Have the running loop call `callback` at this signal, while this lasts."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(number, callback)
    except NotImplementedError:  # Windows
        before = signal.signal(number, lambda *_: loop.call_soon_threadsafe(callback))
        try:
            yield
        finally:
            signal.signal(number, before)
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(number)
