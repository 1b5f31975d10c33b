"""The shared token: exactly it, and nothing near it."""

from __future__ import annotations

import pytest

from swarmwire_broker.auth.shared import SharedToken
from swarmwire_broker.core.permissions import EVERYTHING
from swarmwire_protocol.messages import Permissions


async def test_who_knows_the_token_is_the_configured_subject_with_its_permissions() -> None:
    permissions = Permissions(publish=["a"])
    login = await SharedToken("sésame", subject="team", permissions=permissions).verify("sésame")
    assert login is not None
    assert login.verified.subject == "team"
    assert login.verified.permissions == permissions
    assert login.verified.expires_at is None


async def test_by_default_it_opens_everything() -> None:
    login = await SharedToken("sesame").verify("sesame")
    assert login is not None
    assert (login.verified.subject, login.verified.permissions) == ("token", EVERYTHING)


@pytest.mark.parametrize("token", ["", "sesam", "sesamee", "Sesame", " sesame", "s\u00e9same"])
async def test_anything_else_is_not_the_token(token: str) -> None:
    assert await SharedToken("sesame").verify(token) is None


def test_an_empty_token_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        SharedToken("")


def test_a_subject_that_no_token_may_have_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="subject of the shared token"):
        SharedToken("sesame", subject="uid:0")
