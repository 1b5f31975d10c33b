"""What one connection is owed: every message is checked against the model in the moment it is written."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any, NamedTuple

from .model import Message, Model, Refusal, Table, Written, fits

__all__ = ["CLOSES", "Begun", "Expected", "Ledger", "Resumable", "Sub"]

CLOSES = {
    "SLOW_CONSUMER": 4408,
    "HEARTBEAT_TIMEOUT": 4409,
    "AUTHENTICATION_FAILED": 4401,
    "UNSUPPORTED_VERSION": 4406,
    "NOT_AUTHENTICATED": 4402,
}
"""Errors that end a connection, and the code it is closed with."""


class Resumable(NamedTuple):
    """A subscription as its client would ask for it again; `cursor` None: it was an unfinished snapshot."""

    wanted: Message
    cursor: int | None


class Begun:
    """The moment in which a subscription was decided, as far as its ack does not say it.

    Attributes:
        denied_after: the head when the permission went; no later event is for it.
    """

    def __init__(self, pattern: str, head: int, oldest: int, table: Table) -> None:
        self.pattern = pattern
        self.head = head
        self.oldest = oldest
        self.table = table
        self.denied_after: int | None = None
        self.denied_at: int | None = None
        """The serial number of the last publish before that."""


class Expected:
    """The one answer that a request must get."""

    def __init__(self, *, serial: int | None = None, wanted: list[Message] | None = None, **fields: Any) -> None:
        self.fields = fields
        self.serial = serial
        """The publish whose place the ack names."""
        self.wanted = wanted
        """The subscriptions asked for."""
        self.verdicts: list[Refusal | None] = []
        self.asked = (0, 0)
        """Head and oldest when it was asked."""


class Sub:
    """One subscription as its client knows it, and what it is owed next.

    Attributes:
        cursor: the client has everything up to here, or was told what it lost.
        until: the head when a snapshot began, up to which only last events are owed; 0 where there is none.
        batch: what a conflating subscription got since `batch_start`: (topic, seq, skipped).
    """

    def __init__(self, model: Model, instance: str, wanted: Message, acked: int, begun: Begun) -> None:
        self.model = model
        self.instance = instance
        self.wanted = wanted
        self.pattern: str = wanted["pattern"]
        self.mode = wanted.get("mode", "all")
        self.start = wanted.get("from", "now")
        self.begun = begun
        self.acked = acked
        self.cursor = acked
        self.until = begun.head if self.start == "latest" else 0
        self.live = self.start == "now"
        self.snapshot: set[int] = set()
        self.gaps: list[tuple[int, int]] = []
        self.batch: list[tuple[str, int, int]] = []
        self.batch_start = max(acked, self.until)

    @property
    def is_shared(self) -> bool:
        return self.mode in ("all", "disconnect")

    @property
    def conflates(self) -> bool:
        return isinstance(self.mode, dict)

    @property
    def resume(self) -> int | None:
        """The place from which the client would go on; None where the snapshot must be asked for again."""
        return None if self.until and not self.live else self.cursor

    def owed(self, to: int) -> list[Written]:
        """What must still come, as far as `to`."""
        after = self.batch_start if self.conflates else max(self.cursor, self.until)
        return self.model.meant_for(self.pattern, self.instance, after, to)

    # ---- what comes

    def event(self, seq: int, skipped: int | None) -> str | None:
        """Take an event: what is wrong with it, if anything."""
        if (skipped is not None) != self.conflates:
            return "`skipped` is for conflating subscriptions, and for all their events"
        if self.begun.denied_after is not None and seq > self.begun.denied_after:
            return "it came without permission"
        if seq <= self.cursor:
            return f"it came again, or out of order: the cursor is at {self.cursor}"
        if seq <= self.until:
            wrong = self._snapshot_event(seq, skipped)
        elif self.conflates:
            wrong = self._conflated_event(seq, skipped or 0)
        else:
            owed = self.owed(seq)
            wrong = None if owed and owed[0].seq == seq else f"{[one.seq for one in owed]} were owed"
        self.cursor = seq
        return wrong

    def _snapshot_event(self, seq: int, skipped: int | None) -> str | None:
        written = self.model.log[seq - 1]
        if skipped or self.begun.table.last.get(written.topic) != written or not fits(self.pattern, written.topic):
            return "it is not of the snapshot"
        if written.hidden_from == self.instance:
            return "it is the client's own"
        self.snapshot.add(seq)
        return None

    def _conflated_event(self, seq: int, skipped: int) -> str | None:
        written = self.model.log[seq - 1]
        if not fits(self.pattern, written.topic) or written.hidden_from == self.instance:
            return "it is not for this subscription"
        self.batch.append((written.topic, seq, skipped))
        return None

    def reach(self, place: int, most_bytes: int) -> str | None:
        """The client is told that it has everything up to here."""
        if place > self.model.head:
            return "the place was never reached"
        if place < self.cursor:
            return f"the place lies before the cursor {self.cursor}"
        wrong = self._settle(place, most_bytes)
        self.cursor = place
        self.batch_start = max(place, self.until)
        return wrong

    def _settle(self, place: int, most_bytes: int) -> str | None:
        owed = self.owed(place)
        if self.conflates:
            return self._settle_batch(owed, most_bytes)
        return f"nothing was said of {[one.seq for one in owed]}" if owed else None

    def _settle_batch(self, owed: list[Written], most_bytes: int) -> str | None:
        """Every event is the last of its topic, or counted by one that is."""
        meant = Counter(one.topic for one in owed)
        got: Counter[str] = Counter()
        for topic, _, skipped in self.batch:
            got[topic] += 1 + skipped
        last = {one.topic: one.seq for one in owed}
        told = {topic: seq for topic, seq, _ in self.batch}
        several = len(self.batch) > len(told) and sum(one.size for one in owed) <= most_bytes
        self.batch = []
        if meant != got:
            return f"{meant} were published, {got} accounted for"
        if last != told:
            return f"the last ones are {last}, not {told}"
        return "one topic came twice in a tick" if several else None

    def lose(self, after: int, to: int, most_bytes: int) -> str | None:
        """Events are announced as lost."""
        if after < self.cursor and not (self.until and not self.live and to <= self.until):
            return f"a gap reaches back over what was delivered: the cursor is at {self.cursor}"
        in_snapshot = self.until and not self.live and to <= self.until
        wrong = None if in_snapshot else self._settle(after, most_bytes)
        self.gaps.append((after, to))
        self.cursor = max(self.cursor, to)
        self.batch_start = max(self.batch_start, to)
        return wrong

    def come_alive(self) -> str | None:
        """The replay is over: was it whole?"""
        self.live = True
        if not self.until:
            return None
        floor = self.begun.table.floor
        if floor and self.gaps[:1] != [(0, floor)]:
            return f"the snapshot cannot know what lies before {floor}, and does not say so"
        missing = [one for one in self.begun.table.last.values() if self._is_missing(one)]
        return f"the snapshot lacks {[one.seq for one in missing]}" if missing else None

    def _is_missing(self, one: Written) -> bool:
        return (
            fits(self.pattern, one.topic)
            and one.hidden_from != self.instance
            and one.seq not in self.snapshot
            and not any(after < one.seq <= to for after, to in self.gaps)
            and not any(later.topic == one.topic for later in self.model.log[self.until :])
        )


class Ledger:
    """All that is told on one connection, in the order in which it is written.

    Attributes:
        subs: the subscriptions the client knows of, from the ack on.
        decided: those the broker has, from the decision on.
        expected: the answers that are still to come, by the id of the request.
        nameless: errors without an id that are still to come.
        wrong: everything that was not as it must be.
    """

    def __init__(
        self, model: Model, instance: str, *, outbox_bytes: int, oldest: Callable[[], int], wrong: list[str]
    ) -> None:
        self.model = model
        self.instance = instance
        self.epoch = ""
        self.subs: dict[str, Sub] = {}
        self.decided: dict[str, Begun] = {}
        self.begun: dict[str, deque[Begun]] = {}
        self.former: set[str] = set()
        self.expected: dict[str, Expected] = {}
        self.nameless: deque[Refusal] = deque()
        self.pongs: deque[int | None] = deque()
        self.ephemerals: dict[int, tuple[Message, str | None]] = {}
        self.seen: Counter[tuple[int, str | None]] = Counter()
        self.was_stalled = False
        self.welcome: Message | None = None
        """What the welcome must say, once the login is decided."""
        self.last_error: str | None = None
        self.bye: int | None = None
        self.known: list[dict[str, Resumable]] = []
        """After each message, how the client would ask for its subscriptions again."""
        self.events = 0
        self.lost = 0
        self._outbox_bytes = outbox_bytes
        self._oldest = oldest
        self._wrong = wrong

    # ---- what the broker decides

    def begin(self, name: str, begun: Begun) -> None:
        """A subscription was accepted, in this very moment."""
        self.decided[name] = begun
        self.begun.setdefault(name, deque()).append(begun)

    def end(self, name: str) -> None:
        """A subscription was ended."""
        self.decided.pop(name, None)

    def narrow(self, allowed: Callable[[str], bool], serial: int) -> None:
        """The permissions have changed."""
        for name, begun in list(self.decided.items()):
            if not allowed(begun.pattern):
                begun.denied_after, begun.denied_at = self.model.head, serial
                del self.decided[name]

    # ---- what is written

    def block(self, messages: list[Message]) -> None:
        """One write: messages in their order."""
        for message in messages:
            wrong = getattr(self, "_on_" + message["type"])(message)
            if wrong is not None:
                self._wrong.append(f"{wrong}: {message}")
            self.known.append({name: Resumable(sub.wanted, sub.resume) for name, sub in self.subs.items()})
        for place, message in enumerate(messages):
            if message["type"] == "gap" and message["reason"] == "overflow" and message.get("sub") in self.subs:
                self._check_drop(message, messages[place + 1 :])

    def _check_drop(self, gap: Message, behind: list[Message]) -> None:
        """What is kept are the newest, as many as the queue may hold, and all of them are written with the gap."""
        sub = self.subs[gap["sub"]]
        kept = [self.model.log[m["seq"] - 1] for m in behind if m.get("sub") == gap["sub"] and "seq" in m]
        if sub.owed(self.model.head):
            self._wrong.append(f"the newest events were not kept: {gap}")
        dropped = self.model.log[self._place(gap["to"]) - 1]
        if len(kept) < sub.wanted.get("queue_size", 3) and (
            sum(one.size for one in kept) + dropped.size <= self._outbox_bytes
        ):
            self._wrong.append(f"events were dropped that had room: {gap}")

    def _place(self, cursor: str) -> int:
        epoch, _, seq = cursor.rpartition(":")
        if epoch != self.epoch:
            self._wrong.append(f"a cursor of another log: {cursor}")
        return int(seq)

    def _shared(self) -> list[Sub]:
        return [sub for sub in self.subs.values() if sub.live and sub.is_shared]

    # ---- the event lane

    def _on_event(self, message: Message) -> str | None:
        name = message.get("sub")
        if name is not None and name not in self.subs:
            return None if name in self.former and "seq" not in message else "there is no such subscription"
        if "seq" not in message:
            self.events += "sub" not in message
            return self._ephemeral(message)
        self.events += 1
        if not 0 < message["seq"] <= self.model.head:
            return "no such event was made visible"
        written = self.model.log[message["seq"] - 1]
        if {key: value for key, value in message.items() if key not in ("sub", "skipped")} != written.message:
            return f"it should be {written.message}"
        return self._hand_out(message, written)

    def _hand_out(self, message: Message, written: Written) -> str | None:
        seq, skipped = written.seq, message.get("skipped")
        if "sub" in message:
            sub = self.subs[message["sub"]]
            if sub.live and sub.is_shared:
                return "a live subscription that shares its position was addressed by name"
            return sub.event(seq, skipped)
        takers = [sub for sub in self._shared() if seq > sub.cursor and fits(sub.pattern, written.topic)]
        if not takers:
            return "nobody here is owed it"
        faults = [sub.event(seq, skipped) for sub in takers]
        return next((fault for fault in faults if fault is not None), None)

    def _ephemeral(self, message: Message) -> str | None:
        topic = message["topic"]
        subs = [self.subs[message["sub"]]] if "sub" in message else self._shared()
        takers = [sub for sub in subs if sub.live and fits(sub.pattern, topic)]
        if not takers:
            # It may have been on its way when what it was for ended.
            return None if self.former else "nobody here wants it"
        if topic.startswith("$"):
            return None
        serial = message["data"][0]
        if all(sub.begun.denied_at is not None and sub.begun.denied_at < serial for sub in takers):
            return "it came without permission"
        published, hidden_from = self.ephemerals.get(serial, (None, None))
        self.seen[serial, message.get("sub")] += 1
        if published is None or {k: v for k, v in message.items() if k not in ("sub", "skipped")} != published:
            return f"what was published is {published}"
        if hidden_from == self.instance:
            return "it is the client's own"
        return "it came twice" if self.seen[serial, message.get("sub")] > 1 else None

    def _on_live(self, message: Message) -> str | None:
        sub = self.subs.get(message["sub"])
        if sub is None:
            return "there is no such subscription"
        if sub.live:
            return "it is live already"
        if self._place(message["cursor"]) != self.model.head:
            return f"the head is {self.model.head}"
        return sub.reach(self._place(message["cursor"]), self._outbox_bytes) or sub.come_alive()

    def _on_position(self, message: Message) -> str | None:
        place = self._place(message["cursor"])
        if place > self.model.head:
            return "the place was never reached"
        if "sub" in message:
            sub = self.subs.get(message["sub"])
            if sub is None:
                return None if message["sub"] in self.former else "there is no such subscription"
            return sub.reach(place, self._outbox_bytes)
        faults = [sub.reach(place, self._outbox_bytes) for sub in self._shared() if sub.cursor < place]
        return next((fault for fault in faults if fault is not None), None)

    def _on_gap(self, message: Message) -> str | None:
        name = message.get("sub")
        if name is not None and name not in self.subs:
            return None if name in self.former else "there is no such subscription"
        to = self._place(message["to"])
        subs = [self.subs[name]] if name is not None else [sub for sub in self._shared() if sub.cursor < to]
        reason = message["reason"]
        if reason == "epoch":
            return self._epoch_gap(subs[0], message)
        after = self._place(message["from"])
        if (fault := getattr(self, f"_{reason}_gap")(subs, message, after, to)) is not None:
            return str(fault)
        faults = [sub.lose(max(after, sub.cursor) if name is None else after, to, self._outbox_bytes) for sub in subs]
        if reason == "denied" and name is not None:
            del self.subs[name]
            self.former.add(name)
        return next((fault for fault in faults if fault is not None), None)

    def _epoch_gap(self, sub: Sub, message: Message) -> str | None:
        if not isinstance(sub.start, dict) or message["from"] != sub.start.get("cursor"):
            return "it begins where nobody was"
        if sub.gaps or sub.cursor != sub.acked or self._place(message["to"]) != sub.acked:
            return f"it does not lead to the oldest event, {sub.acked}"
        sub.gaps.append((-1, sub.acked))
        return None

    def _evicted_gap(self, subs: list[Sub], message: Message, after: int, to: int) -> str | None:
        if to <= after:
            return "it is empty"
        sub = subs[0] if subs else None
        if sub is not None and sub.until and not sub.live and to <= sub.until:
            floor = self.model.table().floor
            return f"the table knows everything from {floor} on" if to > floor else None
        oldest = self._oldest()
        return f"the log holds what begins with {oldest}" if to != oldest - 1 else None

    def _overflow_gap(self, subs: list[Sub], message: Message, after: int, to: int) -> str | None:
        if len(subs) != 1 or subs[0].mode != "drop_oldest" or not self.was_stalled:
            return "nothing could overflow"
        self.lost += message["dropped"]
        lost = self.model.meant_for(subs[0].pattern, self.instance, after, to)
        if len(lost) != message["dropped"]:
            return f"{len(lost)} were lost"
        return None if lost[-1].seq == to else "it goes further than what was lost"

    def _denied_gap(self, subs: list[Sub], message: Message, after: int, to: int) -> str | None:
        denied_after = subs[0].begun.denied_after if subs else None
        return None if denied_after == to else f"what was denied begins after {denied_after}"

    # ---- the control lane

    def _on_ack(self, message: Message) -> str | None:
        expected = self.expected.pop(repr(message["id"]), None)
        if expected is None:
            return "nothing like it was asked"
        if expected.serial is not None:
            seq = self.model.serials.get(expected.serial)
            if message.get("seq") != seq or seq is None:
                return f"its place is {seq}"
        fault = _differs(message, expected)
        if expected.wanted is not None and fault is None:
            fault = self._begin_all(expected, message["results"])
        for name in expected.fields.get("subs", ()):
            if self.subs.pop(name, None) is not None:
                self.former.add(name)
        return fault

    def _begin_all(self, expected: Expected, results: list[Message]) -> str | None:
        fault = _wrong_verdicts(expected, results)
        for wanted, verdict, result in zip(expected.wanted or (), expected.verdicts, results, strict=False):
            if verdict is None and fault is None:
                fault = self._begin(expected, wanted, result)
        return fault

    def _begin(self, expected: Expected, wanted: Message, result: Message) -> str | None:
        name = result["sub"]
        if not self.begun.get(name):
            return "it was never begun"
        begun = self.begun[name].popleft()
        place = self._place(result["cursor"])
        if name in self.subs:
            self.former.add(name)
        self.subs[name] = Sub(self.model, self.instance, wanted, place, begun)
        return None if self._begins_right(expected, wanted, begun, place) else f"it cannot begin at {place}"

    def _begins_right(self, expected: Expected, wanted: Message, begun: Begun, place: int) -> bool:
        match wanted.get("from", "now"):
            case "now":
                return place == begun.head
            case "start":
                return place == begun.oldest - 1
            case "latest":
                return place == 0
            case {"cursor": str(cursor)}:
                epoch, _, seq = cursor.rpartition(":")
                known = epoch == self.epoch and int(seq) <= begun.head
                return place == (int(seq) if known else begun.oldest - 1)
            case start:
                heads = range(expected.asked[0], begun.head + 1)
                floors = range(expected.asked[1], begun.oldest + 1)
                return any(self._found(wanted["pattern"], start, place, head, o) for head in heads for o in floors)

    def _found(self, pattern: str, start: Message, place: int, head: int, oldest: int) -> bool:
        held = self.model.log[oldest - 1 : head]
        if place > head:
            return False
        if "since_ms" in start:
            return all((one.ts >= start["since_ms"]) == (one.seq > place) for one in held)
        matching = [one for one in held if fits(pattern, one.topic)]
        count: int = start["last"]
        return sum(one.seq > place for one in matching) == min(count, len(matching))

    def _on_error(self, message: Message) -> str | None:
        if "id" not in message:
            if message["code"] in CLOSES and not self.nameless:
                self.last_error = message["code"]
                return None
            if not self.nameless:
                return "nothing went wrong"
            expected = self.nameless.popleft()
            return None if (message["code"], message.get("field")) == expected else f"expected {expected}"
        asked = self.expected.pop(repr(message["id"]), None)
        if asked is None:
            return "nothing like it was asked"
        return _differs(message, asked) or _wrong_verdicts(asked, message.get("results", []))

    def _on_pong(self, message: Message) -> str | None:
        if not self.pongs:
            return "nobody pinged"
        return None if message.get("ts") == self.pongs.popleft() else "it answers another ping"

    def _on_ping(self, message: Message) -> None:
        """It needs no answer of a client that speaks otherwise."""

    def _on_welcome(self, message: Message) -> str | None:
        if self.welcome is None:
            return "no login was in order"
        self.epoch = message["cursor"].rpartition(":")[0]
        wanted, self.welcome = self.welcome, None
        got = {key: message[key] for key in wanted}
        return None if got == wanted else f"expected {wanted}"

    def _on_bye(self, message: Message) -> None:
        self.bye = message["code"]

    # ---- at rest

    def check_rest(self, *, whole: bool) -> list[str]:
        """Nothing is on its way any more: what lacks? `whole` says that every reader reads."""
        lacks = [f"no answer came to {key}" for key in self.expected]
        lacks += [f"no error {refusal} came" for refusal in self.nameless]
        lacks += ["no pong came"] * bool(self.pongs)
        lacks += [f"{name} was denied, and its client not told" for name, sub in self.subs.items() if _is_denied(sub)]
        if whole:
            for name, sub in self.subs.items():
                if not sub.live:
                    lacks.append(f"{name} never became live")
                if owed := sub.owed(self.model.head):
                    lacks.append(f"{name} ({sub.pattern}, {sub.mode}) was owed {[one.seq for one in owed]}")
        return lacks


def _is_denied(sub: Sub) -> bool:
    return sub.begun.denied_after is not None


def _differs(message: Message, expected: Expected) -> str | None:
    wanted = {key: value for key, value in expected.fields.items() if key != "subs"}
    got = {key: message.get(key) for key in wanted}
    return None if got == wanted else f"expected {wanted}"


def _wrong_verdicts(expected: Expected, results: list[Message]) -> str | None:
    wanted = [None if verdict is None else tuple(verdict) for verdict in expected.verdicts]
    got = [(one["error"]["code"], one["error"].get("field")) if "error" in one else None for one in results]
    return None if got == wanted else f"expected the results {wanted}"
