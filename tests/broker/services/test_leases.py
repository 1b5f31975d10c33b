"""Leases lapse by time, by a bye and by a death, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable

from swarmwire_broker.core.caller import Caller
from swarmwire_broker.core.ports import Peer
from swarmwire_broker.services.leases import Lapse, Leases
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..core.fakes import Client, FakeClock, World


class Graves:
    """Processes that end when a test says so."""

    def __init__(self) -> None:
        self.watched: list[tuple[Caller, Callable[[], None]]] = []

    def watch(self, session: Caller, died: Callable[[], None]) -> None:
        self.watched.append((session, died))


class Bench:
    """Leases under a clock that a test moves, and what has become of them."""

    def __init__(self) -> None:
        self.world = World()
        self.clock: FakeClock = self.world.clock
        self.lapsed: list[tuple[str, Lapse]] = []
        self.lost: list[str] = []
        self.refusals = 0
        self.graves = Graves()
        self.leases = Leases(self.clock, self._lapsed, self.lost.append, self.graves)

    async def _lapsed(self, name: str, why: Lapse) -> None:
        if self.refusals:
            self.refusals -= 1
            raise SwarmwireError(ErrorCode.UNAVAILABLE)
        self.lapsed.append((name, why))

    def client(self, peer: Peer | None = None) -> Client:
        client = Client(self.world, peer or Peer(transport="test"))
        client.hello()
        return client


def test_a_lease_lapses_once_when_its_time_has_passed() -> None:
    bench = Bench()
    bench.leases.hold("a", bench.client().session, 10_000)
    bench.clock.advance(9.9)
    assert (bench.lapsed, bench.leases.left_ms("a")) == ([], 100)
    bench.clock.advance(0.2)
    bench.clock.advance(100)
    assert bench.lapsed == [("a", Lapse.EXPIRED)]
    assert "a" not in bench.leases


def test_a_renewal_begins_the_time_again() -> None:
    bench = Bench()
    bench.leases.hold("a", None, 10_000)
    for _ in range(5):
        bench.clock.advance(9)
        assert bench.leases.renew("a")
    assert bench.lapsed == []
    bench.clock.advance(10.1)
    assert bench.lapsed == [("a", Lapse.EXPIRED)]
    assert not bench.leases.renew("a")


def test_a_renewal_can_make_it_shorter() -> None:
    bench = Bench()
    bench.leases.hold("a", None, 60_000)
    bench.leases.renew("a", 1_000)
    bench.clock.advance(1.1)
    assert bench.lapsed == [("a", Lapse.EXPIRED)]


def test_what_was_given_back_never_lapses() -> None:
    bench = Bench()
    bench.leases.hold("a", None, 1_000)
    bench.leases.drop("a")
    bench.leases.drop("a")
    bench.clock.advance(10)
    assert bench.lapsed == []


def test_a_bye_ends_the_leases_of_its_connection_at_once_and_no_others() -> None:
    bench = Bench()
    mine, other = bench.client(), bench.client()
    bench.leases.hold("a", mine.session, 60_000)
    bench.leases.hold("b", mine.session, 60_000)
    bench.leases.hold("c", other.session, 60_000)
    mine.say(type="bye", code=1000)
    assert sorted(bench.lapsed) == [("a", Lapse.LEFT), ("b", Lapse.LEFT)]
    assert bench.lost == []
    assert "c" in bench.leases


def test_a_lost_connection_leaves_the_lease_to_its_time() -> None:
    bench = Bench()
    client = bench.client()
    bench.leases.hold("a", client.session, 10_000)
    client.session.lost()
    bench.clock.settle()
    assert (bench.lapsed, bench.lost) == ([], ["a"])
    assert bench.leases.session_of("a") is None
    bench.clock.advance(10.1)
    assert bench.lapsed == [("a", Lapse.EXPIRED)]


def test_another_connection_goes_on_with_a_lease_and_the_end_of_the_first_then_says_nothing() -> None:
    bench = Bench()
    first, second = bench.client(), bench.client()
    bench.leases.hold("a", first.session, 10_000)
    bench.leases.hold("a", second.session, 10_000)
    first.say(type="bye", code=1000)
    assert bench.lapsed == []
    assert bench.leases.held_by(second.session) == {"a"}


def test_the_death_of_the_process_ends_what_its_lost_connection_held() -> None:
    bench = Bench()
    client = bench.client()
    bench.leases.hold("a", client.session, 60_000)
    client.session.lost()
    [(session, died)] = bench.graves.watched
    assert session is client.session
    died()
    bench.clock.settle()
    assert bench.lapsed == [("a", Lapse.DIED)]


def test_a_death_says_nothing_of_what_somebody_else_has_taken_over() -> None:
    bench = Bench()
    client, heir = bench.client(), bench.client()
    bench.leases.hold("a", client.session, 60_000)
    client.session.lost()
    bench.leases.hold("a", heir.session, 60_000)
    bench.graves.watched[0][1]()
    bench.clock.settle()
    assert bench.lapsed == []


def test_a_session_of_one_request_stands_for_nobody() -> None:
    bench = Bench()
    client = bench.client(Peer(transport="http", brief=True))
    bench.leases.hold("a", client.session, 10_000)
    client.say(type="bye", code=1000)
    assert (bench.lapsed, bench.lost) == ([], [])
    bench.clock.advance(10.1)
    assert bench.lapsed == [("a", Lapse.EXPIRED)]


def test_an_end_that_could_not_be_stored_is_tried_again() -> None:
    bench = Bench()
    bench.refusals = 2
    bench.leases.hold("a", None, 1_000)
    bench.clock.advance(1.1)
    assert bench.lapsed == []
    bench.clock.advance(3)
    assert bench.lapsed == [("a", Lapse.EXPIRED)]
    assert bench.clock.failures == []


def test_when_this_process_stood_still_the_holders_are_given_that_time() -> None:
    bench = Bench()
    bench.leases.hold("a", None, 10_000)
    bench.clock.now += 60  # nothing ran meanwhile
    bench.clock.settle()
    assert bench.lapsed == []
    bench.leases.renew("a")
    bench.clock.advance(10.1)
    assert bench.lapsed == [("a", Lapse.EXPIRED)]


def test_leases_that_come_and_go_leave_nothing_behind() -> None:
    bench = Bench()
    session = bench.client().session
    for number in range(5_000):
        bench.leases.hold(f"lock-{number}", session, 3_600_000)
        bench.leases.drop(f"lock-{number}")
    assert len(bench.leases) == 0
    assert len(bench.leases._due) < 200
    assert bench.clock.timers < 20


def test_after_closing_nothing_lapses_and_closing_twice_is_harmless() -> None:
    bench = Bench()
    client = bench.client()
    bench.leases.hold("a", client.session, 1_000)
    bench.leases.close()
    bench.leases.close()
    client.session.lost()
    bench.clock.advance(10)
    assert (bench.lapsed, bench.lost) == ([], [])


def test_an_end_that_is_tried_again_has_the_same_reason() -> None:
    bench = Bench()
    client, bench.refusals = bench.client(), 2
    bench.leases.hold("a", client.session, 10_000)
    client.say(type="bye", code=1000)
    bench.clock.advance(5)
    assert bench.lapsed == [("a", Lapse.LEFT)]


def test_one_that_is_renewed_before_its_end_is_tried_again_has_its_whole_time() -> None:
    bench = Bench()
    client, bench.refusals = bench.client(), 1
    bench.leases.hold("a", client.session, 10_000)
    client.say(type="bye", code=1000)
    bench.clock.settle()
    assert bench.leases.renew("a")
    bench.clock.advance(9.9)
    assert bench.lapsed == []
    bench.clock.advance(0.2)
    assert bench.lapsed == [("a", Lapse.EXPIRED)]


def test_a_lease_that_begins_after_the_bye_of_its_holder_ends_at_once() -> None:
    bench = Bench()
    client = bench.client()
    client.say(type="bye", code=1000)
    bench.leases.hold("a", client.session, 10_000)
    bench.clock.settle()
    assert bench.lapsed == [("a", Lapse.LEFT)]


def test_a_lease_that_begins_after_its_connection_was_lost_is_lost() -> None:
    bench = Bench()
    client = bench.client()
    client.session.lost()
    bench.leases.hold("a", client.session, 10_000)
    assert bench.lost == ["a"]
    bench.graves.watched[0][1]()
    bench.clock.settle()
    assert bench.lapsed == [("a", Lapse.DIED)]


def test_an_end_that_cannot_be_stored_is_tried_ever_less_often() -> None:
    bench = Bench()
    bench.refusals = 1_000
    bench.leases.hold("a", None, 1_000)
    bench.clock.advance(1 + 1 + 2 + 4 + 8 + 16 + 30 + 30 + 1)
    assert bench.refusals == 1_000 - 8


def test_where_thousands_end_at_once_others_get_their_turn_between() -> None:
    bench = Bench()
    client = bench.client()
    for number in range(5_000):
        bench.leases.hold(str(number), client.session, 60_000)
    turns: list[int] = []
    client.session.receive(b'{"type":"bye","code":1000}')
    while bench.clock.turn():
        turns.append(len(bench.lapsed) - sum(turns))
    assert sum(turns) == 5_000
    assert max(turns) <= 64


def test_one_end_that_fails_for_good_holds_up_no_other() -> None:
    bench = Bench()
    failed: list[str] = []

    async def broken(name: str, why: Lapse) -> None:
        failed.append(name)
        raise ValueError(name)

    leases = Leases(bench.clock, broken)
    for number in range(200):
        leases.hold(str(number), None, 1_000)
    bench.clock.advance(1.5)
    assert len(failed) == len(bench.clock.failures) == 200
