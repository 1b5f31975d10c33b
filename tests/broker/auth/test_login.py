"""Subjects: what a token may call its holder."""

from __future__ import annotations

import pytest

from swarmwire_broker.auth import check_subject
from swarmwire_broker.auth.login import MAX_SUBJECT_BYTES
from swarmwire_protocol.errors import ErrorCode, SwarmwireError


@pytest.mark.parametrize(
    "subject", ["a", "alice@example.org", "auth0|123", "Ærøskøbing", "x" * MAX_SUBJECT_BYTES, "uid"]
)
def test_a_plain_text_is_a_subject(subject: str) -> None:
    assert check_subject(subject) == subject


@pytest.mark.parametrize(
    "subject",
    [None, 1, ["a"], "", "anonymous:1", "uid:1000", "a\nb", "a\x00", "\x7f", "\ud800", "x" * (MAX_SUBJECT_BYTES + 1),
     "é" * (MAX_SUBJECT_BYTES // 2 + 1)],
)  # fmt: skip
def test_what_is_empty_too_long_unprintable_or_the_brokers_to_give_is_none(subject: object) -> None:
    with pytest.raises(SwarmwireError) as caught:
        check_subject(subject)
    assert caught.value.code is ErrorCode.AUTHENTICATION_FAILED
    assert caught.value.field == "sub"
