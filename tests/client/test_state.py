from __future__ import annotations

import asyncio
import logging

import pytest

from .fakebroker import FakeBroker


async def test_an_unknown_state_event_is_an_error_that_names_those_known(broker: FakeBroker) -> None:
    client, _peer = await broker.connected()
    with pytest.raises(ValueError, match="reconnecting"):
        client.listen("conected", print)


async def test_the_decorator_leaves_the_function_as_it_is(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    told: list[int] = []

    @client.on_state("disconnected")
    def note(code: int, reason: str) -> None:
        told.append(code)

    note(1, "")
    await peer.close(1000, "Done.")
    await peer.gone.wait()
    await client.disconnect()
    assert told == [1, 1000]


async def test_messages_of_an_unknown_type_are_ignored(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    errors: list[Exception] = []
    client.listen("error", errors.append)
    await peer.send("horoscope", sign="aries")
    await peer.caught_up(client)

    assert errors == []


@pytest.mark.parametrize(
    "text",
    ["nonsense", "{}", "[]", '{"type":7}', '{"type":"event","topic":"a"}', '{"type":"position","cursor":"nowhere"}'],
)
async def test_a_malformed_message_is_reported_and_ignored(broker: FakeBroker, text: str) -> None:
    client, peer = await broker.connected()
    errors: list[Exception] = []
    client.listen("error", errors.append)
    await peer.write(text)
    await peer.caught_up(client)

    assert len(errors) == 1


async def test_an_error_of_no_request_is_reported(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    errors: list[Exception] = []
    client.listen("error", errors.append)
    await client.publish("a", 1, ack=False)
    await peer.expect("publish")
    await peer.send("error", code="PERMISSION_DENIED", message="You may not.")
    await peer.caught_up(client)

    assert [str(error) for error in errors] == ["PERMISSION_DENIED: You may not."]


async def test_an_error_that_nobody_listens_to_is_logged_only(
    broker: FakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    client, peer = await broker.connected()
    with caplog.at_level(logging.WARNING, "swarmwire.client"):
        await peer.write("nonsense")
        await peer.caught_up(client)

    assert client.is_ready
    assert len(caplog.records) == 1


async def test_a_listener_may_disconnect(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    done = asyncio.Event()

    @client.on_state("reconnecting")
    async def enough(attempt: int, delay: float) -> None:
        await client.disconnect()
        done.set()

    peer.cut()
    await done.wait()
    assert not client.is_ready
