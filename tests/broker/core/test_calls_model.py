"""Whatever callers and handlers do, each call is handed out at most once and has exactly one last answer."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from swarmwire_broker.core.settings import Limits

from .fakes import Client, Message, World

METHODS = ("a", "b")
PICK = st.integers(0, 99)
ENDS = {"TIMEOUT", "CANCELLED", "HANDLER_GONE", "HANDLER_FAILED", "UNAVAILABLE", "METHOD_NOT_FOUND", "LIMIT_EXCEEDED"}


class Party:
    """A client that calls and handles, and what it has seen."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.asked: list[int] = []
        """The numbers of its calls, which are their ids and their parameters."""
        self.answers: dict[int, list[Message]] = {}
        self.todo: dict[str, int] = {}
        """What it was handed and has not answered: the number of the call by the id to answer by."""


class Calls(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World(limits=Limits(max_handler_calls=3, max_pending_calls=4, call_timeout_ms=5_000))
        self.parties: list[Party] = []
        self.gone: list[Party] = []
        self.number = 0
        self.handed: dict[int, int] = {}
        """How often each call was handed to anyone."""

    def party(self, pick: int) -> Party:
        return self.parties[pick % len(self.parties)]

    def look(self) -> None:
        """Let the world come to rest, and take what everybody was told."""
        self.world.clock.settle()
        for party in self.parties:
            for message in party.client.take():
                self.note(party, message)

    def note(self, party: Party, message: Message) -> None:
        match message["type"]:
            case "call":
                party.todo[message["id"]] = message["params"]
                self.handed[message["params"]] = self.handed.get(message["params"], 0) + 1
            case "cancel":
                assert message["id"] in party.todo, "only what was handed out and is not answered is cancelled"
                del party.todo[message["id"]]
            case "reply" | "error":
                party.answers.setdefault(message["id"], []).append(message)
            case kind:
                assert kind == "ping"

    # ---- what clients do

    @precondition(lambda self: len(self.parties) < 4)
    @rule()
    def connect(self) -> None:
        self.parties.append(Party(self.world.client()))

    @precondition(lambda self: self.parties)
    @rule(pick=PICK, method=st.sampled_from(METHODS), is_there=st.booleans())
    def register(self, pick: int, method: str, is_there: bool) -> None:
        session, handlers = self.party(pick).client.session, self.world.hub.calls.handlers
        if is_there:
            handlers.register(session, [method])
        else:
            handlers.unregister(session, [method])
        self.look()

    @precondition(lambda self: self.parties)
    @rule(pick=PICK, method=st.sampled_from((*METHODS, "nobody")), timeout_ms=st.sampled_from((None, 0, 40, 90)))
    def call(self, pick: int, method: str, timeout_ms: int | None) -> None:
        party = self.party(pick)
        self.number += 1
        party.asked.append(self.number)
        message: Message = {"type": "call", "id": self.number, "method": method, "params": self.number}
        party.client.post(message if timeout_ms is None else {**message, "timeout_ms": timeout_ms})
        self.look()

    @precondition(lambda self: any(party.todo for party in self.parties))
    @rule(pick=PICK, which=PICK, kind=st.sampled_from(("reply", "more", "error")))
    def answer(self, pick: int, which: int, kind: str) -> None:
        busy = [party for party in self.parties if party.todo]
        party = busy[pick % len(busy)]
        number = list(party.todo)[which % len(party.todo)]
        told: dict[str, Any] = {"id": number, "data": party.todo[number]}
        if kind == "error":
            told = {"id": number, "code": "NO", "message": str(party.todo[number])}
        if kind != "more":
            del party.todo[number]
        party.client.post({"type": "error" if kind == "error" else "reply", **told, "more": kind == "more"})
        self.look()

    @precondition(lambda self: any(party.asked for party in self.parties))
    @rule(pick=PICK, which=PICK)
    def cancel(self, pick: int, which: int) -> None:
        askers = [party for party in self.parties if party.asked]
        party = askers[pick % len(askers)]
        party.client.post({"type": "cancel", "id": party.asked[which % len(party.asked)]})
        self.look()

    @precondition(lambda self: self.parties)
    @rule(pick=PICK, meant=st.booleans())
    def leave(self, pick: int, meant: bool) -> None:
        party = self.party(pick)
        if meant:
            party.client.post({"type": "bye", "code": 1000})
        party.client.session.lost()
        self.parties.remove(party)
        self.gone.append(party)
        self.look()
        assert party.client.take() == []

    @rule(seconds=st.sampled_from((0.01, 0.05)))
    def wait(self, seconds: float) -> None:
        self.world.clock.advance(seconds)
        self.look()

    # ---- what must hold

    @invariant()
    def no_call_is_handed_out_twice(self) -> None:
        assert all(times == 1 for times in self.handed.values())

    @invariant()
    def every_answer_is_that_of_its_call_and_nothing_follows_the_last(self) -> None:
        for party in self.parties:
            for number, answers in party.answers.items():
                assert number in party.asked
                assert all(answer["data"] == number for answer in answers if answer["type"] == "reply")
                assert all(answer.get("more") for answer in answers[:-1])
                assert all(answer["code"] in ENDS for answer in answers if answer["type"] == "error")

    @invariant()
    def what_is_outstanding_is_what_somebody_waits_for(self) -> None:
        waiting = {
            number
            for party in self.parties
            for number in party.asked
            if not party.answers.get(number) or party.answers[number][-1].get("more")
        }
        todo = [number for party in self.parties for number in party.todo.values()]
        assert sorted(todo) == sorted(waiting)
        assert self.world.hub.calls.handlers.outstanding == len(waiting)
        for party in self.parties:
            assert (party.client.session.pending or set()) == {number for number in party.asked if number in waiting}

    def teardown(self) -> None:
        self.world.clock.advance(6)
        self.look()
        for party in self.parties:
            for number in party.asked:
                assert not party.answers[number][-1].get("more"), "every call has a last answer"
            party.client.session.lost()
        self.world.clock.settle()
        self.world.hub.close()
        assert self.world.is_clean()
        assert self.world.clock.timers == 0
        assert self.world.clock.failures == []


Calls.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestCallsAndTheirAnswers = Calls.TestCase
