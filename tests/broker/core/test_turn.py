"""A run is joined once for each kind of transport."""

from __future__ import annotations

from typing import Any

from swarmwire_broker.core.turn import Run, new_run


class CountingFramer:
    """Joins with a mark of its own, and counts how often it was asked."""

    def __init__(self, mark: bytes) -> None:
        self.mark = mark
        self.joins = 0

    def join(self, payloads: list[bytes]) -> Any:
        self.joins += 1
        return self.mark.join(payloads)

    def merge(self, blocks: list[Any]) -> Any:
        return b"".join(blocks)


def run_of(*payloads: bytes, first: int = 7) -> Run:
    run = new_run((object(),), first, None)
    run.payloads += payloads
    return run


def test_a_run_begins_with_its_first_event_and_no_bytes() -> None:
    receivers = (object(), object())
    run = new_run(receivers, 7, "instance-1")
    assert run.receivers is receivers
    assert (run.first, run.last, run.size, run.payloads, run.hidden_from) == (7, 7, 0, [], "instance-1")


def test_all_receivers_on_one_kind_of_transport_share_one_block() -> None:
    framer, run = CountingFramer(b"\n"), run_of(b"a", b"b")
    block = run.block(framer)
    assert block == b"a\nb"
    assert run.block(framer) is block
    assert framer.joins == 1


def test_each_kind_of_transport_has_a_block_of_its_own() -> None:
    lines, frames, run = CountingFramer(b"\n"), CountingFramer(b"|"), run_of(b"a", b"b")
    assert (run.block(lines), run.block(frames), run.block(lines)) == (b"a\nb", b"a|b", b"a\nb")
    assert (lines.joins, frames.joins) == (1, 1)


def test_an_empty_block_is_made_once_too() -> None:
    framer, run = CountingFramer(b""), run_of(b"")
    assert (run.block(framer), run.block(framer)) == (b"", b"")
    assert framer.joins == 1
