"""Who may register under an id: the whole table, and what any run of a registry keeps to."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from swarmwire_broker.core.permissions import EVERYTHING
from swarmwire_broker.core.ports import Peer, Verified
from swarmwire_broker.services.registry.beings import BeingRecord, Claim, Holder, Presence, claim_of
from swarmwire_broker.services.registry.registry import Registry
from swarmwire_broker.services.shared import Shared
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..core.fakes import Client, World

ANN = Holder("ann", "i1", "o1")
NOBODY = Holder("anonymous:i1", "i1", "o1")
RECORD = BeingRecord(
    id="a",
    name="a",
    kind="agent",
    epoch=7,
    ttl=1_000,
    presence=Presence.ONLINE,
    scope="ann",
    instance="i1",
    owner="o1",
    formers=[],
    capabilities=[],
    metadata=b"{}",
    status=None,
    sender="ann",
    client_id="c",
    registered_at=0,
    updated_at=0,
)
LEFT = structs.replace(RECORD, presence=Presence.SUSPECT)
NOBODYS = structs.replace(RECORD, scope=NOBODY.scope)
NOBODYS_LEFT = structs.replace(NOBODYS, presence=Presence.SUSPECT)
STRANGER = Holder("anonymous:i2", "i2", "o1")


@pytest.mark.parametrize(
    ("record", "holder", "epoch", "verdict"),
    [
        (None, ANN, None, Claim.BEGIN),
        (None, ANN, 7, Claim.BEGIN),
        (RECORD, ANN, None, Claim.GO_ON),
        (RECORD, ANN, 7, Claim.GO_ON),
        (RECORD, ANN, 6, ErrorCode.FENCED),
        (LEFT, ANN, None, Claim.GO_ON),
        (RECORD, ANN._replace(instance="i2"), None, Claim.TAKE_OVER),
        (RECORD, ANN._replace(owner="o2"), None, Claim.TAKE_OVER),
        (RECORD, ANN._replace(instance="i2"), 7, Claim.GO_ON),
        (RECORD, ANN._replace(instance="i2"), 6, ErrorCode.FENCED),
        (RECORD, ANN._replace(scope="bob"), None, ErrorCode.CONFLICT),
        (RECORD, ANN._replace(scope="bob"), 7, ErrorCode.CONFLICT),
        (LEFT, ANN._replace(scope="bob"), None, ErrorCode.CONFLICT),
        (LEFT, NOBODY, None, ErrorCode.CONFLICT),
        (NOBODYS_LEFT, ANN, None, ErrorCode.CONFLICT),
        (NOBODYS, NOBODY, None, Claim.GO_ON),
        (NOBODYS, STRANGER, None, ErrorCode.CONFLICT),
        (NOBODYS, STRANGER, 7, Claim.GO_ON),
        (NOBODYS, STRANGER, 6, ErrorCode.CONFLICT),
        (NOBODYS_LEFT, STRANGER, None, Claim.TAKE_OVER),
        (NOBODYS_LEFT, STRANGER, 6, ErrorCode.FENCED),
    ],
)
def test_a_claim_is_decided_by_the_table(
    record: BeingRecord | None, holder: Holder, epoch: int | None, verdict: Claim | ErrorCode
) -> None:
    if isinstance(verdict, Claim):
        assert claim_of(record, holder, epoch) is verdict
        return
    with pytest.raises(SwarmwireError) as raised:
        claim_of(record, holder, epoch)
    assert raised.value.code is verdict


# ---- any run


async def by_name(token: str | None, metadata: dict[str, Any], peer: Peer) -> Verified:
    assert token is not None
    return Verified(subject=token, permissions=EVERYTHING)


_AFTER = {
    ("none", "registered"): "online",
    ("online", "registered"): "online",
    ("suspect", "registered"): "online",
    ("online", "updated"): "online",
    ("online", "suspect"): "suspect",
    ("suspect", "online"): "online",
    ("online", "gone"): "none",
    ("suspect", "gone"): "none",
}
"""What may be told of a being that stands so, and how it stands then."""

STEPS = st.one_of(
    st.tuples(st.just("register"), st.integers(0, 3), st.sampled_from("ab")),
    st.tuples(st.just("heartbeat"), st.integers(0, 3), st.sampled_from("ab")),
    st.tuples(st.just("unregister"), st.integers(0, 3), st.sampled_from("ab")),
    st.tuples(st.just("vanish"), st.integers(0, 3), st.just("")),
    st.tuples(st.just("bye"), st.integers(0, 3), st.just("")),
    st.tuples(st.just("wait"), st.integers(1, 12), st.just("")),
)


class Run:
    """A registry, four clients of two subjects, and what was told by each step."""

    def __init__(self) -> None:
        self.world = World(authenticator=by_name)
        self.registry = Registry(Shared(self.world.hub))
        for method in self.registry.methods():
            self.world.hub.calls.add(method)
        self.clients: dict[int, Client] = {}
        self.epochs: dict[tuple[int, str], int] = {}
        self.states = dict.fromkeys("ab", "none")
        self.newest = dict.fromkeys("ab", 0)
        self._ids = itertools.count(1)
        self._seen = 0

    def client(self, number: int) -> Client:
        if number not in self.clients:
            client = self.clients[number] = self.world.connect()
            client.hello(instance=f"i{number}", token="ann" if number < 2 else "bob")
        return self.clients[number]

    def call(self, number: int, method: str, **params: Any) -> Any:
        client, id = self.client(number), next(self._ids)
        answers = client.say(type="call", id=id, method=method, params=params)
        answer = next(each for each in answers if each.get("id") == id)
        return answer.get("data", answer.get("code"))

    def step(self, what: str, number: int, being: str) -> None:
        match what:
            case "register":
                will = {"topic": f"will.{being}", "data": number}
                answer = self.call(
                    number, "registry.register", id=being, name=being, kind="agent", ttl=5_000, will=will
                )
                if isinstance(answer, dict):
                    self.epochs[number, being] = answer["epoch"]
            case "heartbeat" | "unregister":
                epoch = self.epochs.get((number, being), 0)
                answer = self.call(number, f"registry.{what}", id=being, epoch=epoch)
                is_holder = self.states[being] != "none" and self.newest[being] == epoch
                assert isinstance(answer, dict) == is_holder, answer
            case "vanish" | "bye" if number in self.clients:
                client = self.clients.pop(number)
                if what == "bye":
                    client.say(type="bye", code=1000)
                client.session.lost()
            case "wait":
                self.world.clock.advance(float(number))
        self.world.clock.settle()
        self.look(has_wills=what == "wait")

    def look(self, *, has_wills: bool) -> None:
        """Judge what was told since the last look; only time makes wills."""
        told, self._seen = self.world.log[self._seen :], len(self.world.log)
        due: list[str] = []
        for entry in told:
            data = json.loads(entry.payload)["data"]
            if entry.topic.startswith("will."):
                due.remove(entry.topic)
                continue
            being, event = data["id"], data["event"]
            self.states[being] = _AFTER[self.states[being], event]
            assert data["epoch"] > self.newest[being] if event == "registered" else data["epoch"] == self.newest[being]
            self.newest[being] = data["epoch"]
            assert entry.clear == (event == "gone")
            if event == "gone" and has_wills:
                due.append(f"will.{being}")
        assert due == []


@given(st.lists(STEPS, max_size=30))
@settings(max_examples=60, deadline=None)
def test_whatever_happens_events_are_in_order_epochs_grow_and_each_will_comes_once(steps: list[Any]) -> None:
    run = Run()
    for what, number, being in steps:
        run.step(what, number, being)
    for number in list(run.clients):
        run.step("vanish", number, "")
    for _ in range(3):
        run.step("wait", 12, "")
    assert run.states == dict.fromkeys("ab", "none")
    assert run.world.clock.failures == []
    assert (len(run.registry._roll), len(run.registry._leases), len(run.registry._locks)) == (0, 0, 0)
    assert len(run.registry._roll._census) == 0
    assert run.registry._roll._fences._fenced == {}
