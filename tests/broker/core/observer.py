"""A client's end of its subscriptions, which holds the broker to every word: order, completeness, positions."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping
from typing import Any

from swarmwire_broker.engines.base import Entry
from swarmwire_protocol.topics import matches

from .fakes import Client, Message, World

__all__ = ["Observed", "Observer"]

SHARED = ("all", "disconnect")


class Observed:
    """One subscription as its client knows it.

    Attributes:
        acked: everything after this place is owed.
        cursor: the client has everything up to here, or knows what it lost.
        snapshot: the head when a snapshot began, until which only last events are owed; 0 for other subscriptions.
    """

    def __init__(self, pattern: str, mode: Any, start: Any, acked: int, head: int) -> None:
        self.pattern = pattern
        self.mode = mode
        self.start = start
        self.acked = acked
        self.cursor = acked
        self.snapshot = head if start == "latest" else 0
        self.is_live = start == "now"
        self.lives = 0
        self.got: dict[int, Message] = {}
        self.gaps: list[tuple[int, int]] = []

    @property
    def is_shared(self) -> bool:
        return self.mode in SHARED

    @property
    def conflates(self) -> bool:
        return isinstance(self.mode, dict)

    def lost(self, seq: int) -> bool:
        """Whether a gap stands in the place of an event."""
        return any(after < seq <= to for after, to in self.gaps)


class Observer:
    """Follows one client over its connections by the rules an SDK follows, and checks each message against the log."""

    def __init__(self, world: World, client: Client, instance: str) -> None:
        self.world = world
        self.client = client
        self.instance = instance
        self.subs: dict[str, Observed] = {}
        self.gone: list[Observed] = []
        self.asked: dict[Any, list[Message]] = {}
        self.dropped: dict[Any, list[str]] = {}
        self._heads: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)
        world.hub.on("subscribe", self._note)

    def _note(self, facts: Mapping[str, Any]) -> None:
        """A subscription begins: what the head is at this very moment, which its ack does not say."""
        self._heads[facts["client_id"], facts["sub"]].append(self.world.engine.head)

    # ---- asking

    def subscribe(self, request_id: int, wanted: Message) -> None:
        self.asked[request_id] = [wanted]
        self.client.post({"type": "subscribe", "id": request_id, "subscriptions": [wanted]})

    def unsubscribe(self, request_id: int, name: str) -> None:
        self.dropped[request_id] = [name]
        self.client.post({"type": "unsubscribe", "id": request_id, "subs": [name]})

    def reconnect(self, client: Client, request_id: int) -> None:
        """Go on with another connection: every subscription at its own cursor."""
        self.read()
        self.client = client
        self.asked, self.dropped = {}, {}
        wanted = []
        for name, sub in list(self.subs.items()):
            if sub.conflates or (sub.snapshot and not sub.lives):
                self.gone.append(self.subs.pop(name))  # what a tick left out, or a snapshot, cannot be resumed
            else:
                cursor = {"cursor": self.world.cursor(sub.cursor)}
                wanted.append({"sub": name, "pattern": sub.pattern, "mode": sub.mode, "from": cursor})
        if wanted:
            self.asked[request_id] = [{**one, "resumes": True} for one in wanted]
            client.post({"type": "subscribe", "id": request_id, "subscriptions": wanted})

    # ---- hearing

    def read(self) -> None:
        """Take in what has come."""
        for message in self.client.take():
            getattr(self, "_on_" + message["type"], self._on_other)(message)

    def _on_other(self, message: Message) -> None:
        assert message["type"] in ("welcome", "ping", "bye"), message

    def _on_error(self, message: Message) -> None:
        if "id" in message:
            del self.dropped[message["id"]]
            assert message["code"] == "NOT_FOUND", message
        else:
            assert message["code"] == "SLOW_CONSUMER", message
            assert any(sub.mode == "disconnect" for sub in [*self.subs.values(), *self.gone])

    def _on_ack(self, message: Message) -> None:
        if wanted := self.asked.pop(message["id"], None):
            for one, result in zip(wanted, message["results"], strict=True):
                self._begin(one, result)
        for name in self.dropped.pop(message["id"], ()):
            self.gone.append(self.subs.pop(name))

    def _begin(self, wanted: Message, result: Message) -> None:
        name, acked = result["sub"], self._place(result["cursor"])
        head = self._heads[self.client.session.client_id, name].popleft()
        assert acked <= head
        former = self.subs.get(name)
        if wanted.get("resumes"):
            assert former is not None
            assert acked == former.cursor
            former.is_live = False
            return
        if former is not None:
            self.gone.append(former)
        self.subs[name] = Observed(wanted["pattern"], wanted.get("mode", "all"), wanted.get("from", "now"), acked, head)

    def _on_event(self, message: Message) -> None:
        if "seq" not in message:
            return
        seq = message["seq"]
        entry = self.world.log[seq - 1]
        assert entry.topic == message["topic"]
        assert entry.hidden_from != self.instance, "a publisher saw its own event"
        if "sub" in message:
            sub = self.subs[message["sub"]]
            assert not (sub.is_live and sub.is_shared), "a live shared subscription was addressed by name"
            assert seq > sub.cursor, "delivered twice, or out of order"
            self._give(sub, seq, message)
            return
        takers = [sub for sub in self.subs.values() if sub.is_live and sub.is_shared and seq > sub.cursor]
        for sub in takers:
            if matches(sub.pattern, entry.topic):
                self._give(sub, seq, message)

    def _give(self, sub: Observed, seq: int, message: Message) -> None:
        assert matches(sub.pattern, message["topic"])
        assert ("skipped" in message) == sub.conflates
        assert not sub.lost(seq), "an event came that a gap has written off"
        sub.got[seq] = message
        sub.cursor = seq
        if not sub.conflates:
            self._check(sub)

    def _on_gap(self, message: Message) -> None:
        after, to = self._place(message["from"]), self._place(message["to"])
        assert after < to
        named = "sub" in message
        subs = [self.subs[message["sub"]]] if named else [s for s in self.subs.values() if s.is_live and s.is_shared]
        for sub in subs:
            if named:
                assert after >= sub.cursor or sub.snapshot, "a gap reaches back over what was delivered"
            if to <= sub.cursor:
                assert not named, "a gap behind the cursor"
                continue
            sub.gaps.append((max(after, sub.cursor), to))
            sub.cursor = to
            if "dropped" in message:
                assert len(list(self._meant(sub, after, to))) == message["dropped"]
            self._check(sub)

    def _on_live(self, message: Message) -> None:
        sub = self.subs[message["sub"]]
        sub.lives += 1
        assert not sub.is_live, "live came twice"
        sub.is_live = True
        self._advance(sub, message["cursor"])

    def _on_position(self, message: Message) -> None:
        if "sub" in message:
            self._advance(self.subs[message["sub"]], message["cursor"])
        else:
            shared = [sub for sub in self.subs.values() if sub.is_live and sub.is_shared]
            for sub in shared:
                if self._place(message["cursor"]) > sub.cursor:
                    self._advance(sub, message["cursor"])

    def _advance(self, sub: Observed, cursor: str) -> None:
        place = self._place(cursor)
        assert place >= sub.cursor
        sub.cursor = place
        self._check(sub)
        if sub.conflates:
            self._check_conflated(sub)

    # ---- checking

    def _place(self, cursor: str) -> int:
        epoch, _, seq = cursor.partition(":")
        assert epoch == self.world.engine.epoch
        assert int(seq) <= self.world.engine.head, "a place that was never reached"
        return int(seq)

    def _owed(self, sub: Observed) -> Iterator[Entry]:
        """What the client must have or know lost, as far as its cursor goes."""
        return self._meant(sub, max(sub.acked, sub.snapshot), sub.cursor)

    def _meant(self, sub: Observed, after: int, to: int) -> Iterator[Entry]:
        for entry in self.world.log[after:to]:
            if entry.hidden_from != self.instance and matches(sub.pattern, entry.topic):
                yield entry

    def _check(self, sub: Observed) -> None:
        if not sub.conflates:
            missing = [e.seq for e in self._owed(sub) if e.seq not in sub.got and not sub.lost(e.seq)]
            assert not missing, f"nothing was said of {missing}"
        if sub.snapshot and sub.lives:
            self._check_snapshot(sub)

    def _check_snapshot(self, sub: Observed) -> None:
        last: dict[str, Entry] = {}
        for entry in self.world.log[: sub.cursor]:
            last[entry.topic] = entry
        for entry in last.values():
            if entry.seq <= sub.snapshot and matches(sub.pattern, entry.topic):
                wanted = not entry.clear and entry.hidden_from != self.instance
                assert not wanted or entry.seq in sub.got or sub.lost(entry.seq), "a last event is missing"

    def _check_conflated(self, sub: Observed) -> None:
        """At a position every event is either the last of its topic in some page, or counted by one that is."""
        owed = Counter(e.topic for e in self._owed(sub) if not sub.lost(e.seq))
        got: Counter[str] = Counter()
        for seq, message in sub.got.items():
            if seq > sub.snapshot:
                got[message["topic"]] += 1 + message["skipped"]
        assert owed == got

    def check_end(self) -> None:
        """At rest, every live subscription can be brought to the head: nothing is owed any more."""
        self.read()
        assert not self.asked
        for sub in self.subs.values():
            assert sub.is_live
            sub.cursor = self.world.engine.head
            self._check(sub)
            if sub.conflates:
                self._check_conflated(sub)
            assert list(sub.got) == sorted(sub.got)
