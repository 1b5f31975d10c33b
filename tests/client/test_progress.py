"""How far a reader has come, against a model: whenever its process is killed, the next one misses nothing."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from swarmwire import Gap, Live
from swarmwire.emitter import Emitter
from swarmwire.feed import Feed
from swarmwire.feeds import Feeds
from swarmwire.inbox import Inbox
from swarmwire.options import ask_for
from swarmwire.progress import Progress
from swarmwire_protocol import messages as wire
from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.topics import matches

from .test_feeds import EPOCH, Broker, Held

PATTERN: Final = "a.*"


class ForgetfulBroker(Broker):
    """A broker whose log loses its beginning, and which knows the last event of every topic."""

    floor = 0

    def evict(self) -> None:
        """Forget all that no live subscription is owed; whoever reads later is told of a gap."""
        self.floor = len(self.log)

    def _begin(self, item: wire.Subscription) -> str:
        if item.from_ == "latest":
            return self._snapshot(str(item.sub), item.pattern)
        if item.from_ == "start":
            item.from_ = wire.StartAt(cursor=f"{EPOCH}:{self.floor}")
        if isinstance(item.from_, wire.StartAt) and (begin := Cursor.parse(str(item.from_.cursor)).seq) < self.floor:
            gap = wire.Gap(sub=item.sub, from_=f"{EPOCH}:{begin}", to=f"{EPOCH}:{self.floor}", reason="evicted")
            self.events.append(lambda: self.feeds.take_gap(gap))
            item.from_ = wire.StartAt(cursor=gap.to)
            super()._begin(item)
            return gap.from_
        return super()._begin(item)

    def _snapshot(self, sub: str, pattern: str) -> str:
        head = len(self.log)
        last = {topic: seq for seq, topic in enumerate(self.log, 1) if matches(pattern, topic)}
        for topic, seq in sorted(last.items(), key=lambda each: each[1]):
            self._write(topic, seq, sub)
        live = wire.Live(sub=sub, cursor=f"{EPOCH}:{head}")
        self.events.append(lambda: self.feeds.take_live(live))
        self.live[sub] = Held(pattern, head)
        return f"{EPOCH}:0"


class Process:
    """One run of a program that reads a subscription with a resume file."""

    def __init__(self, broker: ForgetfulBroker, path: Path, start: str, room: int) -> None:
        self.read: list[int] = []
        self.gaps: list[Gap] = []
        self._inbox = Inbox(room)
        self._feeds = broker.feeds = Feeds(lambda gap: None, lambda delay, function: None)
        ask = ask_for(PATTERN, start, "all", None, None)
        self._progress = Progress(ask, self._inbox, Emitter(), path, 0.0)
        self._feeds.connected(broker, lambda: None)
        self._feed: Feed = self._feeds.open(self._progress.opened(), self._inbox, with_gaps=True, with_live=True)
        self._progress.begin(self._feed)

    def step(self) -> bool:
        """Finish what is in hand and take the next; False if there is none."""
        self._progress.consume()
        if self._inbox.idle:
            return False
        item = self._inbox.take()
        self._feeds.wake(self._feed)
        match item:
            case Gap():
                self.gaps.append(item)
                self._progress.hand(item.end)
            case Live():
                self._progress.hand_live(item.cursor)
            case (wire.Event(seq=int(seq)), _):
                self.read.append(seq)
                self._progress.hand(f"{EPOCH}:{seq}")
        return True

    @property
    def begun(self) -> int | None:
        """The place behind which nothing may be missed."""
        return None if self._feed.first is None else Cursor.parse(self._feed.first).seq

    def end(self) -> None:
        self._progress.close()


class World:
    """A broker, and one process after the other."""

    def __init__(self, directory: Path, start: str) -> None:
        self.broker = ForgetfulBroker()
        self.start = start
        self.runs: list[Process] = []
        self._paths: Iterator[Path] = (directory / f"place-{number}" for number in itertools.count())
        self._path = next(self._paths)

    def run(self, room: int) -> None:
        self.broker.live.clear()
        self.broker.answers.clear()
        self.broker.events.clear()
        self.runs.append(Process(self.broker, self._path, self.start, room))

    def kill(self, room: int) -> None:
        """The file as it is now is all that is left of the process."""
        path = next(self._paths)
        shutil.copy(self._path, path)
        self._path = path
        self.run(room)

    def had(self) -> set[int]:
        """All that was read, or stands in a gap."""
        lost = [
            range(Cursor.parse(gap.start).seq + 1, Cursor.parse(gap.end).seq + 1)
            for run in self.runs
            for gap in run.gaps
        ]
        return {seq for run in self.runs for seq in run.read}.union(*lost)

    def end(self) -> None:
        for run in self.runs:
            run.end()

    def settle(self) -> None:
        busy = True
        while busy:
            busy = bool(self.broker.answers or self.broker.events)
            self.broker.deliver()
            busy = self.runs[-1].step() or busy


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.sampled_from(["a.x", "a.y", "b"])),
        st.tuples(st.just("deliver"), st.integers(1, 5)),
        st.tuples(st.just("read"), st.integers(1, 3)),
        st.tuples(st.just("kill"), st.integers(1, 4)),
        st.tuples(st.just("position")),
        st.tuples(st.just("evict")),
        st.tuples(st.just("cut")),
    ),
    max_size=60,
)


def play(world: World, steps: list[tuple[object, ...]]) -> None:
    for step in steps:
        match step:
            case ("publish", str(topic)):
                world.broker.publish(topic)
            case ("deliver", int(count)):
                for _ in range(count):
                    world.broker.deliver()
            case ("read", int(count)):
                for _ in range(count):
                    world.runs[-1].step()
            case ("kill", int(room)):
                world.kill(room)
            case ("position",):
                world.broker.position()
            case ("evict",):
                world.broker.evict()
            case ("cut",):
                world.broker.cut()
    world.settle()


def read_twice(runs: list[Process]) -> list[int]:
    """What was read again, after a check that it was what the run before had not finished."""
    twice: list[int] = []
    highest = 0
    for before, run in itertools.pairwise([None, *runs]):
        assert run is not None
        assert run.read == sorted(set(run.read))
        if run.read and run.read[0] <= highest:
            assert before is not None
            assert run.read[0] == highest
            twice.append(highest)
        highest = max([highest, *run.read])
    return twice


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_killed_at_any_moment_a_reader_misses_nothing_and_repeats_what_it_had_not_finished(
    steps: list[tuple[object, ...]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory), "start")
        world.run(2)
        play(world, steps)
        # Before the first acknowledgement nothing is promised: "start" is then what the log still holds.
        begin = next(run.begun for run in world.runs if run.begun is not None)
        due = [seq for seq, topic in enumerate(world.broker.log, 1) if seq > begin and matches(PATTERN, topic)]
        assert [seq for seq in due if seq not in world.had()] == []
        assert len(read_twice(world.runs)) <= len(world.runs) - 1
        world.end()


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_killed_in_a_snapshot_a_reader_still_gets_the_last_event_of_every_topic(
    steps: list[tuple[object, ...]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory), "latest")
        world.run(2)
        play(world, steps)
        last = {topic: seq for seq, topic in enumerate(world.broker.log, 1) if matches(PATTERN, topic)}
        assert [seq for seq in last.values() if seq not in world.had()] == []
        assert len(read_twice(world.runs)) <= len(world.runs) - 1
        world.end()
