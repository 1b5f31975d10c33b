"""Who gets which task."""

from examples.codeswarm.dispatch import Dispatcher
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule


def test_tasks_go_to_the_workers_that_hold_fewest_in_the_order_they_came() -> None:
    dispatcher = Dispatcher(depth=2)
    dispatcher.join("w1")
    dispatcher.join("w2")
    for task in "abcde":
        dispatcher.add(task)
    assert list(dispatcher.assignments()) == [("a", "w1"), ("b", "w2"), ("c", "w1"), ("d", "w2")]
    dispatcher.finish("b")
    assert list(dispatcher.assignments()) == [("e", "w2")]


def test_nothing_is_assigned_without_workers() -> None:
    dispatcher = Dispatcher()
    dispatcher.add("a")
    assert list(dispatcher.assignments()) == []


def test_what_a_gone_worker_held_waits_until_it_is_added_again() -> None:
    dispatcher = Dispatcher()
    dispatcher.join("w1")
    for task in "ab":
        dispatcher.add(task)
    assert len(list(dispatcher.assignments())) == 2
    assert dispatcher.leave("w1") == ["a", "b"]
    dispatcher.join("w2")
    assert list(dispatcher.assignments()) == []
    dispatcher.add("b")
    assert list(dispatcher.assignments()) == [("b", "w2")]
    assert (dispatcher.attempts("a"), dispatcher.attempts("b")) == (1, 2)


def test_a_worker_that_never_joined_held_nothing() -> None:
    assert Dispatcher().leave("w1") == []


def test_what_is_finished_is_never_assigned_again() -> None:
    dispatcher = Dispatcher()
    dispatcher.join("w1")
    dispatcher.finish("a")
    dispatcher.add("a")
    assert list(dispatcher.assignments()) == []


def test_the_result_of_a_worker_that_was_thought_dead_counts() -> None:
    dispatcher = Dispatcher()
    dispatcher.join("w1")
    dispatcher.add("a")
    assert list(dispatcher.assignments()) == [("a", "w1")]
    dispatcher.leave("w1")
    dispatcher.add("a")
    dispatcher.finish("a")
    dispatcher.join("w2")
    assert list(dispatcher.assignments()) == []


def test_a_task_is_given_up_after_the_third_worker_it_brings_down() -> None:
    dispatcher = Dispatcher(max_deaths=3)
    assert [dispatcher.blame("a") for _ in range(3)] == [False, False, True]
    assert not dispatcher.blame("b")


class Bookkeeping(RuleBasedStateMachine):
    """Whatever happens, each task is in one place, and nobody holds more than allowed."""

    tasks = st.integers(0, 20).map(str)
    workers = st.sampled_from(["w1", "w2", "w3"])

    def __init__(self) -> None:
        super().__init__()
        self.dispatcher = Dispatcher(depth=3)
        self.held: dict[str, str] = {}
        self.joined: set[str] = set()
        self.added: set[str] = set()
        self.finished: set[str] = set()

    @rule(worker=workers)
    def join(self, worker: str) -> None:
        self.dispatcher.join(worker)
        self.joined.add(worker)

    @rule(worker=workers)
    def leave(self, worker: str) -> None:
        expected = sorted(task for task, holder in self.held.items() if holder == worker)
        assert self.dispatcher.leave(worker) == expected
        self.joined.discard(worker)
        for task in expected:
            del self.held[task]

    @rule(task=tasks)
    def add(self, task: str) -> None:
        self.dispatcher.add(task)
        self.held.pop(task, None)
        self.added.add(task)

    @rule(task=tasks)
    def finish(self, task: str) -> None:
        self.dispatcher.finish(task)
        self.held.pop(task, None)
        self.finished.add(task)

    @rule()
    def assign(self) -> None:
        for task, worker in self.dispatcher.assignments():
            assert task in self.added - self.finished
            assert task not in self.held
            assert worker in self.joined
            self.held[task] = worker

    @invariant()
    def nobody_holds_too_much(self) -> None:
        assert all(list(self.held.values()).count(worker) <= 3 for worker in self.joined)


TestBookkeeping = Bookkeeping.TestCase
