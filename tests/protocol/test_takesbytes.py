"""What stands between a protocol that takes bytes and a loop that hands out something else."""

from __future__ import annotations

from typing import Any

import pytest

from swarmwire_protocol import takesbytes
from swarmwire_protocol.takesbytes import TakesBytes, taking_bytes


class Taker:
    def __init__(self) -> None:
        self.told: list[Any] = []

    def connection_made(self, transport: object) -> None:
        self.told.append(transport)

    def data_received(self, data: bytes) -> None:
        self.told.append(data)

    def eof_received(self) -> bool:
        return True


def test_what_was_read_comes_as_bytes_that_nobody_changes() -> None:
    taker = Taker()
    buffer = bytearray(b"abc")
    between = TakesBytes(taker)
    between.data_received(buffer)
    buffer[0] = 0
    assert taker.told == [b"abc"]
    assert type(taker.told[0]) is bytes


def test_all_else_is_the_protocols() -> None:
    taker = Taker()
    between: Any = TakesBytes(taker)
    between.connection_made("transport")
    assert between.eof_received() is True
    assert taker.told == ["transport"]


@pytest.mark.parametrize("hand_out_bytes", [True, False])
def test_nothing_stands_between_where_loops_hand_out_bytes(
    monkeypatch: pytest.MonkeyPatch, hand_out_bytes: bool
) -> None:
    monkeypatch.setattr(takesbytes, "_LOOPS_HAND_OUT_BYTES", hand_out_bytes)
    taker = Taker()
    assert (taking_bytes(taker) is taker) is hand_out_bytes
