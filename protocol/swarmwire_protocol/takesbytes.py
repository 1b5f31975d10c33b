"""Protocols that take bytes, where the event loop hands out something else: Windows, on Python before 3.13.

There a loop hands out `bytearray`, which is no key of a dictionary and no argument of a compiled function for bytes.
"""

from __future__ import annotations

import sys
from typing import Any, Final, TypeVar, cast

__all__ = ["TakesBytes", "taking_bytes"]

_LOOPS_HAND_OUT_BYTES: Final = sys.platform != "win32" or sys.version_info >= (3, 13)

_P = TypeVar("_P")


class TakesBytes:
    """Stands before a protocol of the event loop, and copies what was read into bytes."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    def data_received(self, data: bytes | bytearray) -> None:
        self._protocol.data_received(bytes(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._protocol, name)


def taking_bytes(protocol: _P) -> _P:
    """What to give the event loop in place of a protocol whose `data_received` takes nothing but bytes."""
    return protocol if _LOOPS_HAND_OUT_BYTES else cast(_P, TakesBytes(protocol))
