"""The judge finds what is wrong, and nothing where all is well."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from .checker import Kind, check
from .records import Ended, Finished, Got, Killed, LeftOff, Note, Renewed, Settled, Submitted

A: dict[str, Any] = {"holder": "a", "name": "t", "token": 1}
B: dict[str, Any] = {"holder": "b", "name": "t", "token": 2}

SUBMITTED = Submitted(at=1.0, name="t")
A_GOT = Got(begun=2.0, at=2.1, ttl=5.0, **A)
A_RENEWED = Renewed(begun=4.0, at=4.1, ttl=5.0, **A)
A_KILLED = Killed(at=5.0, holder="a")
B_GOT = Got(begun=5.5, at=9.2, ttl=5.0, **B)
B_LEFT = LeftOff(begun=10.0, at=10.1, **B)
B_FINISHED = Finished(begun=10.0, at=10.1, **B)
ENDED = Ended(at=10.2, name="t", state="completed")
SETTLED = Settled(at=20.0)

GOOD: tuple[Note, ...] = (
    SUBMITTED, A_GOT, A_RENEWED, A_KILLED, B_GOT, B_LEFT, B_FINISHED, ENDED, SETTLED,
)  # fmt: skip


def kinds(*notes: Note) -> set[Kind]:
    return {violation.kind for violation in check(notes)}


def changed(note: Note, *others: Note, **fields: Any) -> list[Note]:
    """The good history with one note changed, or with others in its place."""
    instead = others or ((replace(note, **fields),) if fields else ())
    return [new for each in GOOD for new in (instead if each is note else (each,))]


def test_nothing_is_found_where_all_is_well() -> None:
    assert check(GOOD) == []


def test_two_that_hold_one_thing_are_found() -> None:
    assert kinds(*changed(B_GOT, begun=4.0, at=4.5)) == {Kind.SHARED}


def test_a_killed_holder_holds_nothing() -> None:
    assert kinds(*changed(B_GOT, begun=5.0, at=5.1)) == set()


def test_without_its_death_a_holder_relies_on_its_last_renewal() -> None:
    assert kinds(*changed(A_KILLED)) == set()
    early = [note for note in changed(B_GOT, begun=5.0, at=8.9) if note is not A_KILLED]
    assert kinds(*early) == {Kind.SHARED}


def test_a_holder_that_has_left_off_holds_nothing() -> None:
    left = LeftOff(begun=4.5, at=4.6, **A)
    notes = [note for note in changed(B_GOT, begun=4.5, at=4.6) if note is not A_KILLED]
    assert kinds(*notes, left) == set()


def test_a_token_that_falls_is_found() -> None:
    lower = {"token": 0}
    falling = [replace(note, **lower) if note in (B_GOT, B_LEFT, B_FINISHED) else note for note in GOOD]
    assert kinds(*falling) >= {Kind.TOKEN}


def test_one_token_for_two_holders_is_found() -> None:
    same = [replace(note, token=1) if note in (B_GOT, B_LEFT, B_FINISHED) else note for note in GOOD]
    assert kinds(*same) == {Kind.TOKEN}


@pytest.mark.parametrize("late", [Finished(begun=9.5, at=9.6, **A), Renewed(begun=9.5, at=9.6, ttl=5.0, **A)])
def test_what_is_taken_from_a_holder_that_was_fenced_is_found(late: Note) -> None:
    assert Kind.UNFENCED in kinds(*GOOD, late)


def test_two_ends_of_one_task_are_found() -> None:
    assert kinds(*GOOD, ENDED) == {Kind.TWICE}
    assert kinds(*GOOD, replace(B_FINISHED, at=10.3)) == {Kind.TWICE}


def test_a_task_that_never_ends_is_found_once_all_is_settled() -> None:
    assert kinds(*GOOD, Submitted(at=3.0, name="lost")) == {Kind.NEVER}
    assert kinds(*changed(SETTLED), Submitted(at=3.0, name="lost")) == set()


def test_an_end_that_nobody_was_told_of_is_found() -> None:
    assert kinds(*changed(ENDED)) == {Kind.NEVER}
