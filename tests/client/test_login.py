from __future__ import annotations

import asyncio
import logging

import pytest

from swarmwire import ErrorCode, SwarmwireError, connect

from .fakebroker import FakeBroker, Peer, until_ready


async def refuse(peer: Peer, code: str, close: int, **fields: object) -> None:
    await peer.send("error", code=code, message="No.", **fields)
    await peer.close(close, "No.")


async def test_the_hello_says_who_we_are(broker: FakeBroker) -> None:
    _client, peer = await broker.connected(token="secret", name="worker", metadata={"team": 1}, versions=["1", "0.9"])
    client = peer.hello["client"]

    assert peer.hello["versions"] == ["1", "0.9"]
    assert (peer.hello["token"], peer.hello["metadata"]) == ("secret", {"team": 1})
    assert (client["name"], client["kind"], len(client["instance"])) == ("worker", "sdk", 32)
    assert broker.subprotocols == ["swarmwire.v1"]


async def test_what_the_welcome_said_can_be_read(broker: FakeBroker) -> None:
    client, _peer = await broker.connected()

    assert client.is_ready
    assert client.id == "aaaaaaaaaaaa"
    assert client.identity is not None
    assert client.identity.subject == "anyone"
    assert client.limits["max_subscriptions"] == 100
    assert client.durability == "accepted"


@pytest.mark.parametrize(
    ("code", "close"), [("AUTHENTICATION_FAILED", 4401), ("TOKEN_EXPIRED", 4401), ("UNSUPPORTED_VERSION", 4406)]
)
async def test_a_refusal_is_raised_at_once_and_not_tried_again(broker: FakeBroker, code: str, close: int) -> None:
    connecting = asyncio.ensure_future(broker.connect(token="t", retry_first=True))
    await refuse(await broker.meet(), code, close)

    with pytest.raises(SwarmwireError) as raised:
        await connecting
    assert raised.value.code == code
    assert broker.unmet == 0


async def test_a_refusal_after_a_reconnect_is_final(broker: FakeBroker) -> None:
    client, peer = await broker.connected(token="t")
    ended = asyncio.Event()
    client.listen("error", lambda error: ended.set())
    peer.cut()
    await refuse(await broker.meet(), "AUTHENTICATION_FAILED", 4401)
    await ended.wait()

    with pytest.raises(SwarmwireError) as raised:
        await client.publish("a", 1)
    assert raised.value.code is ErrorCode.AUTHENTICATION_FAILED


async def test_a_token_function_is_asked_before_each_connection(broker: FakeBroker) -> None:
    tokens = iter(["first", "second"])
    client, peer = await broker.connected(token=lambda: next(tokens))
    assert peer.hello["token"] == "first"
    peer.cut()
    peer = await broker.accept()
    await until_ready(client)

    assert peer.hello["token"] == "second"


async def test_an_expired_token_is_replaced_once(broker: FakeBroker) -> None:
    tokens = iter(["old", "fresh"])

    async def fetch() -> str:
        return next(tokens)

    connecting = asyncio.ensure_future(broker.connect(token=fetch))
    await refuse(await broker.meet(), "TOKEN_EXPIRED", 4401)
    peer = await broker.accept()

    assert (await connecting).is_ready
    assert peer.hello["token"] == "fresh"


async def test_two_expired_tokens_in_a_row_are_final(broker: FakeBroker) -> None:
    connecting = asyncio.ensure_future(broker.connect(token=lambda: "stale", retry_first=True))
    for _ in range(2):
        await refuse(await broker.meet(), "TOKEN_EXPIRED", 4401)

    with pytest.raises(SwarmwireError) as raised:
        await connecting
    assert raised.value.code is ErrorCode.TOKEN_EXPIRED
    assert broker.unmet == 0


async def test_a_token_that_expires_on_a_live_connection_leads_to_a_fresh_one(broker: FakeBroker) -> None:
    tokens = iter(["old", "fresh"])
    client, peer = await broker.connected(token=lambda: next(tokens))
    await refuse(peer, "TOKEN_EXPIRED", 4401)
    peer = await broker.accept()
    await until_ready(client)

    assert peer.hello["token"] == "fresh"


async def test_a_revoked_login_is_final_even_with_a_token_function(broker: FakeBroker) -> None:
    client, peer = await broker.connected(token=lambda: "t")
    ended = asyncio.Event()
    client.listen("error", lambda error: ended.set())
    await peer.close(4401, "Revoked.")
    await ended.wait()

    assert broker.unmet == 0


async def test_a_token_function_that_fails_is_named_and_its_words_are_not(broker: FakeBroker) -> None:
    def fetch() -> str:
        raise RuntimeError("the secret is swordfish")

    with pytest.raises(SwarmwireError, match="RuntimeError") as raised:
        await broker.connect(token=fetch)
    assert "swordfish" not in str(raised.value)


async def test_a_full_broker_is_waited_for_as_long_as_it_says(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    waits: list[float] = []
    client.listen("reconnecting", lambda attempt, delay: waits.append(delay))
    peer.cut()
    await refuse(await broker.meet(), "LIMIT_EXCEEDED", 1013, retry_after_ms=1)
    await broker.accept()
    await until_ready(client)

    assert waits == [0.0, 0.001]


async def test_authenticate_renews_the_login_in_place_and_for_later(broker: FakeBroker) -> None:
    client, peer = await broker.connected(token="old")
    told: list[object] = []
    client.listen("authenticated", told.append)
    renewing = asyncio.ensure_future(client.authenticate("new"))
    message = await peer.expect("auth")
    assert message["token"] == "new"
    await peer.send("ack", id=message["id"])
    await renewing
    assert told == [client.identity]
    peer.cut()
    peer = await broker.accept()

    assert peer.hello["token"] == "new"


async def test_a_refused_renewal_is_raised(broker: FakeBroker) -> None:
    client, peer = await broker.connected(token="old")
    renewing = asyncio.ensure_future(client.authenticate("bad"))
    message = await peer.expect("auth")
    await peer.send("error", id=message["id"], code="AUTHENTICATION_FAILED", message="No.")

    with pytest.raises(SwarmwireError):
        await renewing
    assert client.is_ready


async def test_no_token_appears_in_logs_or_reprs(broker: FakeBroker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    connecting = connect(f"ws://user:swordfish@127.0.0.1:{broker.port}/ws?token=swordfish", token="swordfish")
    opening = asyncio.ensure_future(connecting.__aenter__())
    peer = await broker.accept()
    client = await opening
    said = repr(client) + repr(connecting) + repr(connecting._settings)
    peer.cut()
    await broker.accept()
    await until_ready(client)
    await client.disconnect()

    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("websockets")]
    assert "swordfish" not in said + "".join(ours)
    assert any("connect again" in line for line in ours)
