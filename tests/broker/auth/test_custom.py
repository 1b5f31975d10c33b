"""An embedder's own login function."""

from __future__ import annotations

from typing import Any

import pytest

from swarmwire_broker.auth.custom import custom_authenticator
from swarmwire_broker.core.permissions import EVERYTHING
from swarmwire_broker.core.ports import Peer, Verified
from swarmwire_protocol.errors import ErrorCode, SwarmwireError


def by_name(token: str | None, metadata: dict[str, Any]) -> Verified | None:
    return None if token is None else Verified(subject=token, permissions=EVERYTHING)


async def test_the_subject_is_what_the_function_says() -> None:
    assert (await custom_authenticator(by_name)("ann", {}, Peer(transport="test"))).subject == "ann"


@pytest.mark.parametrize("token", [None, "", "anonymous:", "anonymous:ann"])
async def test_nobody_and_names_that_the_broker_itself_gives_are_refused(token: str | None) -> None:
    with pytest.raises(SwarmwireError) as refused:
        await custom_authenticator(by_name)(token, {}, Peer(transport="test"))
    assert refused.value.code is ErrorCode.AUTHENTICATION_FAILED
