"""Revocations: refused until restored or expired, never forgotten for want of room."""

from __future__ import annotations

import pytest

from swarmwire_broker.auth import Revocations
from swarmwire_broker.core.ports import Verified
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions


class Now:
    """A clock that is moved by hand."""

    ms = 1_000

    def __call__(self) -> int:
        return self.ms


def login(subject: str = "alice", token_id: str | None = None) -> Verified:
    return Verified(subject=subject, permissions=Permissions(), token_id=token_id)


def test_nobody_is_revoked_at_first() -> None:
    assert not Revocations().is_revoked(login(token_id="t1"))


def test_a_revoked_token_is_refused_and_its_subjects_other_tokens_are_not() -> None:
    revocations = Revocations()
    revocations.revoke_token("t1")
    assert revocations.is_revoked(login(token_id="t1"))
    assert not revocations.is_revoked(login(token_id="t2"))
    assert not revocations.is_revoked(login())


def test_a_revoked_subject_needs_a_token_made_afterwards() -> None:
    revocations = Revocations(now_ms=Now())
    revocations.revoke_subject("alice")
    assert revocations.is_revoked(login(), issued_at=999)
    assert revocations.is_revoked(login(), issued_at=1_000)
    assert not revocations.is_revoked(login(), issued_at=1_001)
    assert not revocations.is_revoked(login("bob"), issued_at=999)


def test_a_token_that_does_not_say_when_it_was_made_is_refused_with_its_subject() -> None:
    revocations = Revocations(now_ms=Now())
    revocations.revoke_subject("alice")
    assert revocations.is_revoked(login(), issued_at=None)


def test_a_revocation_can_be_taken_back() -> None:
    revocations = Revocations()
    revocations.revoke_subject("alice")
    revocations.revoke_token("t1")
    assert revocations.restore_subject("alice")
    assert revocations.restore_token("t1")
    assert not revocations.is_revoked(login(token_id="t1"))
    assert not revocations.restore_subject("alice")
    assert not revocations.restore_token("t1")


def test_a_full_record_refuses_a_further_revocation_and_forgets_none() -> None:
    revocations = Revocations(max_entries=2)
    revocations.revoke_subject("alice")
    revocations.revoke_token("t1")
    with pytest.raises(SwarmwireError) as caught:
        revocations.revoke_token("t2")
    assert caught.value.code is ErrorCode.LIMIT_EXCEEDED
    assert revocations.is_revoked(login("alice"))
    assert revocations.is_revoked(login("bob", "t1"))
    revocations.revoke_token("t1")
    assert len(revocations) == 2


def test_tokens_that_have_expired_make_room() -> None:
    now = Now()
    revocations = Revocations(max_entries=2, now_ms=now)
    revocations.revoke_token("t1", expires_at=2_000)
    revocations.revoke_token("t2", expires_at=3_000)
    now.ms = 2_000
    revocations.revoke_token("t3")
    assert not revocations.is_revoked(login(token_id="t1"))
    assert revocations.is_revoked(login(token_id="t2"))
    assert revocations.is_revoked(login(token_id="t3"))


def test_what_one_broker_has_revoked_another_takes_over_once() -> None:
    now = Now()
    first, second = Revocations(now_ms=now), Revocations(now_ms=now)
    now.ms = 100_000
    first.revoke_subject("alice")
    first.revoke_token("t1")
    first.revoke_token("t2", expires_at=130_000)
    now.ms = 120_000
    assert list(second.hear(*first.told())) == [("alice", None), (None, "t1"), (None, "t2")]
    assert second.is_revoked(login(), issued_at=100_000)
    assert not second.is_revoked(login(), issued_at=100_001)
    assert second.is_revoked(login(token_id="t1"))
    assert list(second.hear(*first.told())) == []
    now.ms = 140_000
    assert first.told() == ({"alice": 40.0}, {"t1": None})


def test_a_subject_that_is_revoked_anew_is_new_to_who_heard_of_the_first_time() -> None:
    now = Now()
    first, second = Revocations(now_ms=now), Revocations(now_ms=now)
    first.revoke_subject("alice")
    assert list(second.hear(*first.told())) == [("alice", None)]
    now.ms += 10_000
    first.revoke_subject("alice")
    assert list(second.hear(*first.told())) == [("alice", None)]
    assert second.is_revoked(login(), issued_at=now.ms)
