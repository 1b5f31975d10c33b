"""Two transports that act as one: when it ends, and what it hands on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from swarmwire_protocol.pipepair import PipePair


class Half:
    """A transport of the event loop, in so far as a pair uses it."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.closing = False
        self.kept = 0

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **named: self.calls.append((name, *arguments, *named.values()))

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return self.kept

    def close(self) -> None:
        self.closing = True
        self.calls.append("close")

    def abort(self) -> None:
        self.closing = True
        self.kept = 0
        self.calls.append("abort")


class Talk:
    """A protocol that writes down what it is told."""

    def __init__(self, keeps_open: bool = False) -> None:
        self.told: list[Any] = []
        self._keeps_open = keeps_open

    def data_received(self, data: bytes) -> None:
        self.told.append(data)

    def eof_received(self) -> bool:
        self.told.append("eof")
        return self._keeps_open

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append(("lost", exc))

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")


class Later:
    """A clock that stands still until it is told to ring."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], object]] = []

    def __call__(self, seconds: float, callback: Callable[[], object]) -> Later:
        assert 0 < seconds < 1
        self.waiting.append(callback)
        return self

    def cancel(self) -> None:
        self.waiting.clear()


class World:
    def __init__(self, *, keeps_open: bool = False) -> None:
        self.later = Later()
        self.pair = PipePair(self.later, {"pipe": "x"})
        self.reader, self.writer, self.talk = Half(), Half(), Talk(keeps_open)
        self.pair.writing.connection_made(self.writer)
        self.pair.set_protocol(self.talk)
        self.pair.reading.connection_made(self.reader)

    def end(self) -> None:
        self.pair.reading.connection_lost(None)
        self.pair.writing.connection_lost(None)


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_read_and_written_is_handed_on(world: World) -> None:
    world.pair.reading.data_received(b"in")
    world.pair.write(b"out")
    world.pair.set_write_buffer_limits(high=9, low=3)
    world.writer.kept = 5
    assert world.talk.told == [b"in"]
    assert world.writer.calls == [("write", b"out"), ("set_write_buffer_limits", 9, 3)]
    assert world.pair.get_write_buffer_size() == 5
    assert (world.pair.get_extra_info("pipe"), world.pair.get_extra_info("socket", 7)) == ("x", 7)
    assert world.pair.get_protocol() is world.talk


def test_both_directions_can_be_held_back(world: World) -> None:
    world.pair.pause_reading()
    world.pair.pause_reading()
    assert not world.pair.is_reading()
    world.pair.resume_reading()
    world.pair.resume_reading()
    assert world.pair.is_reading()
    world.pair.writing.pause_writing()
    world.pair.writing.resume_writing()
    assert world.reader.calls == [("pause_reading",), ("resume_reading",)]
    assert world.talk.told == ["pause", "resume"]


def test_a_reader_that_comes_to_a_paused_pair_is_paused() -> None:
    pair, reader = PipePair(Later()), Half()
    pair.writing.connection_made(Half())
    pair.pause_reading()
    pair.reading.connection_made(reader)
    assert reader.calls == [("pause_reading",)]


def test_it_is_lost_once_and_only_when_both_are(world: World) -> None:
    world.pair.close()
    world.pair.close()
    world.pair.reading.connection_lost(None)
    assert world.talk.told == []
    world.pair.writing.connection_lost(None)
    world.pair.abort()
    world.pair.close()
    world.pair.write(b"late")
    assert world.talk.told == [("lost", None)]
    assert (world.reader.calls, world.writer.calls) == (["close"], ["close"])
    assert (world.pair.is_closing(), world.pair.get_write_buffer_size()) == (True, 0)


def test_a_close_lets_what_is_kept_go_out_and_reads_no_more(world: World) -> None:
    world.writer.kept = 5
    world.pair.close()
    world.pair.reading.data_received(b"late")
    world.pair.write(b"late")
    assert world.writer.calls == ["close"]
    assert world.talk.told == []


def test_an_abort_after_a_close_drops_what_is_kept(world: World) -> None:
    world.writer.kept = 5
    world.pair.close()
    world.pair.abort()
    world.pair.abort()
    assert world.writer.calls == ["close", "abort"]


def test_the_end_of_input_closes_unless_the_protocol_wants_to_answer(world: World) -> None:
    world.pair.reading.eof_received()
    assert world.pair.is_closing()
    other = World(keeps_open=True)
    other.pair.reading.eof_received()
    other.pair.reading.connection_lost(None)
    other.pair.write(b"answer")
    assert other.writer.calls == [("write", b"answer")]
    assert not other.pair.is_closing()
    other.pair.close()
    other.pair.writing.connection_lost(None)
    assert other.talk.told == ["eof", ("lost", None)]


def test_a_peer_that_reads_no_more_is_read_to_its_end(world: World) -> None:
    world.pair.writing.connection_lost(None)
    world.pair.write(b"to nobody")
    world.pair.reading.data_received(b"last words")
    world.pair.reading.eof_received()
    world.pair.reading.connection_lost(None)
    assert world.talk.told == [b"last words", "eof", ("lost", None)]
    assert world.writer.calls == []
    assert world.later.waiting == []


def test_a_peer_that_reads_no_more_and_does_not_end_is_cut(world: World) -> None:
    world.pair.writing.connection_lost(None)
    (ring,) = world.later.waiting
    ring()
    assert world.reader.calls == ["close"]
    world.pair.reading.connection_lost(None)
    assert world.talk.told == [("lost", None)]


def test_who_has_said_all_still_reads(world: World) -> None:
    world.pair.write_eof()
    world.pair.write_eof()
    world.pair.write(b"late")
    world.pair.writing.connection_lost(None)
    assert world.later.waiting == []
    world.pair.reading.data_received(b"in")
    assert world.writer.calls == ["close"]
    assert world.talk.told == [b"in"]


def test_an_error_of_either_half_is_told(world: World) -> None:
    error = BrokenPipeError()
    world.pair.writing.connection_lost(error)
    world.pair.reading.connection_lost(None)
    assert world.talk.told == [("lost", error)]
    other = World()
    fault = OSError()
    other.pair.reading.connection_lost(fault)
    assert other.writer.calls == ["abort"]
    other.pair.writing.connection_lost(None)
    assert other.talk.told == [("lost", fault)]


def test_an_abort_before_the_halves_are_there_ends_them_when_they_come() -> None:
    pair, reader, writer, talk = PipePair(Later()), Half(), Half(), Talk()
    pair.set_protocol(talk)
    pair.abort()
    assert talk.told == [("lost", None)]
    pair.writing.connection_made(writer)
    pair.reading.connection_made(reader)
    assert (reader.calls, writer.calls) == (["close"], ["abort"])
    pair.writing.connection_lost(None)
    pair.reading.connection_lost(None)
    assert talk.told == [("lost", None)]
