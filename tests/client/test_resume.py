"""A subscription with a resume file: the next run of the program goes on behind the last event that was finished."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path
from typing import Any

import pytest

from swarmwire import (
    Client,
    Disconnected,
    ErrorCode,
    Gap,
    ResumeFileError,
    Subscription,
    SwarmwireError,
    connect_sync,
)
from swarmwire.resumefile import Place, ResumeFile

from .fakebroker import PATIENCE, FakeBroker, Message, Peer, seqs, subscribed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "place"


def now_in(path: Path) -> Place:
    """What a process that starts now would find, whoever has the file open."""
    copy = path.with_suffix(".copy")
    copy.write_bytes(path.read_bytes())
    file = ResumeFile.open(str(copy), "a", "all")
    file.close()
    return file.place


def spoil(path: Path) -> None:
    path.write_bytes(b"")


def stored(path: Path, cursor: str, *, snapshot: bool = False) -> None:
    file = ResumeFile.open(str(path), "a", "all")
    file.save(Place(cursor, snapshot))
    file.close()


async def begun(client: Client, peer: Peer, path: Path, **options: Any) -> tuple[Subscription[Any], Message]:
    """A subscription with this file, and what the broker was asked for. The end of one before is passed over."""
    pending = asyncio.ensure_future(client.subscribe("a", resume_file=path, **options).__aenter__())
    while (message := await peer.take_one())["type"] == "unsubscribe":
        pass
    (asked,) = message["subscriptions"]
    await peer.send("ack", id=message["id"], results=[{"sub": asked["sub"], "cursor": "e1:4"}])
    return await pending, asked


async def test_the_first_run_begins_where_it_is_told_and_the_next_where_that_ended(
    broker: FakeBroker, path: Path
) -> None:
    client, peer = await broker.connected()
    subscription, asked = await begun(client, peer, path, from_="start")
    assert asked["from"] == "start"
    for seq in (5, 6):
        await peer.event("a", seq, sub="s1")
    await seqs(subscription, 2)
    await subscription.__aexit__(None, None, None)
    _, asked = await begun(client, peer, path, from_="start")

    assert asked["from"] == {"cursor": "e1:6"}


async def test_an_event_is_finished_when_the_next_is_asked_for(broker: FakeBroker, path: Path) -> None:
    client, peer = await broker.connected()
    subscription, _ = await begun(client, peer, path)
    assert now_in(path) == Place("e1:4")  # acknowledged, so that nothing behind it may be missed
    for seq in (5, 6):
        await peer.event("a", seq)
    await seqs(subscription, 1)
    assert now_in(path) == Place("e1:4")
    await seqs(subscription, 1)
    assert now_in(path) == Place("e1:5")
    waiting = asyncio.ensure_future(anext(subscription))
    await asyncio.sleep(0)  # it asks in this turn
    assert now_in(path) == Place("e1:6")
    waiting.cancel()


async def test_what_is_committed_is_finished(broker: FakeBroker, path: Path) -> None:
    client, peer = await broker.connected()
    subscription, _ = await begun(client, peer, path)
    await peer.event("a", 5)
    await seqs(subscription, 1)
    subscription.commit()
    assert now_in(path) == Place("e1:5")
    assert subscription.cursor == "e1:5"


async def test_a_loop_that_fails_or_is_left_without_a_word_has_not_finished(broker: FakeBroker, path: Path) -> None:
    client, peer = await broker.connected()
    subscription, _ = await begun(client, peer, path)
    await peer.event("a", 5)

    async def work() -> None:
        async with subscription:
            async for event in subscription:
                raise ZeroDivisionError(event)

    with pytest.raises(ZeroDivisionError):
        await work()
    _, asked = await begun(client, peer, path)
    assert asked["from"] == {"cursor": "e1:4"}


async def test_a_context_that_is_left_in_peace_has_finished(broker: FakeBroker, path: Path) -> None:
    client, peer = await broker.connected()
    subscription, _ = await begun(client, peer, path)
    await peer.event("a", 5)
    async with subscription:
        async for _ in subscription:
            break
    assert now_in(path) == Place("e1:5")
    ResumeFile.open(str(path), "a", "all").close()


async def test_ending_it_in_the_middle_of_an_event_finishes_it_only_when_the_loop_goes_on(
    broker: FakeBroker, path: Path
) -> None:
    client, peer = await broker.connected()
    subscription, _ = await begun(client, peer, path)
    await peer.event("a", 5)
    async for _ in subscription:
        await subscription.unsubscribe()
        assert now_in(path) == Place("e1:4")
    assert now_in(path) == Place("e1:5")
    ResumeFile.open(str(path), "a", "all").close()


async def test_what_was_not_read_before_the_end_comes_again(broker: FakeBroker, path: Path) -> None:
    client, peer = await broker.connected()
    subscription, _ = await begun(client, peer, path)
    for seq in (5, 6, 7):
        await peer.event("a", seq)
    await seqs(subscription, 1)
    await peer.caught_up(client)
    subscription.commit()
    await subscription.unsubscribe()
    assert now_in(path) == Place("e1:5")
    assert subscription.cursor == "e1:5"


async def test_positions_are_kept_while_nothing_waits_to_be_read(broker: FakeBroker, path: Path) -> None:
    client, peer = await broker.connected()
    subscription, _ = await begun(client, peer, path)
    await peer.event("a", 5)
    waiting = asyncio.ensure_future(seqs(subscription, 2))
    await peer.send("position", cursor="e1:90")
    await peer.caught_up(client)
    assert now_in(path) == Place("e1:90")
    await peer.event("a", 91)
    await waiting
    await peer.send("position", cursor="e1:99")
    await peer.caught_up(client)
    assert now_in(path) == Place("e1:90")  # 91 is in hand


async def test_gaps_move_the_place_whether_they_are_seen_or_not(broker: FakeBroker, path: Path) -> None:
    client, peer = await broker.connected()
    subscription, _ = await begun(client, peer, path, gaps=True)
    await peer.send("gap", from_="e1:4", to="e2:0", reason="epoch")
    assert await anext(subscription) == Gap("e1:4", "e2:0", "epoch", "a")
    assert now_in(path) == Place("e1:4")
    subscription.commit()
    assert now_in(path) == Place("e2:0")
    await subscription.unsubscribe()
    subscription, asked = await begun(client, peer, path)
    assert asked["from"] == {"cursor": "e2:0"}
    await peer.send("gap", sub="s2", from_="e2:0", to="e2:7", reason="evicted")
    await peer.event("a", 8, sub="s2")
    await seqs(subscription, 1)
    assert now_in(path) == Place("e2:7")


async def test_a_snapshot_that_was_not_complete_is_asked_for_as_a_whole_and_known_events_are_left_out(
    broker: FakeBroker, path: Path
) -> None:
    client, peer = await broker.connected()
    subscription, asked = await begun(client, peer, path, from_="latest")
    assert asked["from"] == "latest"
    assert now_in(path) == Place()
    for seq in (1, 2, 3):
        await peer.event("a", seq, sub="s1")
    await peer.send("live", sub="s1", cursor="e1:9")
    await seqs(subscription, 2)
    await peer.caught_up(client)
    await subscription.unsubscribe()
    assert now_in(path) == Place("e1:1", snapshot=True)
    del subscription
    gc.collect()
    subscription, asked = await begun(client, peer, path, from_="latest")
    assert asked["from"] == "latest"
    for seq in (1, 2, 3):
        await peer.event("a", seq, sub="s2")
    await peer.send("live", sub="s2", cursor="e1:9")
    await peer.event("a", 10)
    assert await seqs(subscription, 3) == [2, 3, 10]
    assert now_in(path) == Place("e1:9")


async def test_a_snapshot_whose_log_was_recreated_between_runs_is_one_of_the_new_log(
    broker: FakeBroker, path: Path
) -> None:
    stored(path, "e0:7", snapshot=True)
    client, peer = await broker.connected()
    subscription, asked = await begun(client, peer, path, from_="latest", gaps=True)
    await peer.event("a", 1, sub="s1")

    assert asked["from"] == "latest"
    assert await anext(subscription) == Gap("e0:7", "e1:0", "epoch", "a")
    assert await seqs(subscription, 1) == [1]


async def test_a_reconnect_goes_on_from_what_was_received_and_not_from_the_file(broker: FakeBroker, path: Path) -> None:
    client, peer = await broker.connected()
    subscription, _ = await begun(client, peer, path)
    for seq in (5, 6, 7):
        await peer.event("a", seq)
    await seqs(subscription, 1)
    await peer.caught_up(client)
    peer.cut()
    peer = await broker.accept()
    (asked,) = await peer.acknowledge_subscribe()
    assert asked["from"] == {"cursor": "e1:7"}
    assert await seqs(subscription, 2) == [6, 7]


async def test_an_interval_spares_writes_while_more_waits(broker: FakeBroker, path: Path) -> None:
    client, peer = await broker.connected()
    subscription, _ = await begun(client, peer, path, resume_interval=3600.0)
    for seq in (5, 6, 7):
        await peer.event("a", seq)
    await peer.caught_up(client)
    await seqs(subscription, 2)
    assert now_in(path) == Place("e1:4")
    await seqs(subscription, 1)
    waiting = asyncio.ensure_future(anext(subscription))
    await asyncio.sleep(0)  # it asks in this turn, and nothing waits
    assert now_in(path) == Place("e1:7")
    waiting.cancel()


async def test_what_an_interval_held_back_is_written_at_the_end(broker: FakeBroker, path: Path) -> None:
    client, peer = await broker.connected()
    subscription, _ = await begun(client, peer, path, resume_interval=3600.0)
    for seq in (5, 6, 7, 8):
        await peer.event("a", seq)
    await peer.caught_up(client)
    await seqs(subscription, 3)
    del subscription
    gc.collect()
    assert now_in(path) == Place("e1:6")


async def test_an_interval_below_nothing_is_refused(broker: FakeBroker, path: Path) -> None:
    client, _peer = await broker.connected()
    with pytest.raises(SwarmwireError) as raised:
        client.subscribe("a", resume_file=path, resume_interval=-1.0)
    assert (raised.value.code, raised.value.field) == (ErrorCode.INVALID_MESSAGE, "resume_interval")


async def test_two_subscriptions_do_not_share_a_file(broker: FakeBroker, path: Path) -> None:
    client, peer = await broker.connected()
    first, _ = await begun(client, peer, path)
    with pytest.raises(ResumeFileError, match="in use by another subscription"):
        await client.subscribe("a", resume_file=path)
    await first.unsubscribe()
    await begun(client, peer, path)


async def test_a_file_of_another_mode_is_refused(broker: FakeBroker, path: Path) -> None:
    client, peer = await broker.connected()
    first, _ = await begun(client, peer, path)
    await first.unsubscribe()
    with pytest.raises(ResumeFileError, match=r"in mode 'conflate 10 ms'; .* in mode 'all'"):
        await anext(client.subscribe("a", resume_file=path, conflate_ms=10))


async def test_a_damaged_file_never_begins_at_now(broker: FakeBroker, path: Path) -> None:
    client, peer = await broker.connected()
    spoil(path)
    with pytest.raises(ResumeFileError, match="holds nothing"):
        await client.subscribe("a", resume_file=path)
    await peer.caught_up(client)
    assert peer.said() == []


async def test_a_file_that_cannot_be_written_stops_the_loop(
    broker: FakeBroker, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, peer = await broker.connected()
    errors: list[Exception] = []
    client.listen("error", errors.append)
    subscription, _ = await begun(client, peer, path)
    for seq in (5, 6):
        await peer.event("a", seq)
    await seqs(subscription, 1)

    def full(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("swarmwire.resumefile.write_at", full)
        with pytest.raises(ResumeFileError, match="No space left"):
            await anext(subscription)
        await peer.send("position", cursor="e1:6")
        await peer.caught_up(client)
        assert [getattr(error, "code", None) for error in errors] == [ErrorCode.UNAVAILABLE]
    assert await seqs(subscription, 1) == [6]
    assert now_in(path) == Place("e1:5")


async def test_a_file_system_without_locks_is_reported(
    broker: FakeBroker, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(descriptor: int) -> bool:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("swarmwire.resumefile.lock", no_locks)
    client, peer = await broker.connected()
    errors: list[Exception] = []
    client.listen("error", errors.append)
    await begun(client, peer, path)
    assert "has no locks" in str(errors[0])


async def test_a_refused_subscription_lets_go_of_its_file(broker: FakeBroker, path: Path) -> None:
    client, peer = await broker.connected()
    subscription = client.subscribe("a", resume_file=path)
    pending = asyncio.ensure_future(subscription.acknowledged())
    message = await peer.expect("subscribe")
    await peer.send("error", id=message["id"], code="PERMISSION_DENIED", message="No.")
    with pytest.raises(SwarmwireError):
        await pending
    stored(path, "e1:1")


async def test_the_end_of_the_client_lets_go_of_the_file(broker: FakeBroker, path: Path) -> None:
    client, peer = await broker.connected()
    subscription, _ = await begun(client, peer, path)
    await peer.event("a", 5)
    async with asyncio.timeout(PATIENCE):
        async for _ in subscription:
            await client.disconnect()
    assert now_in(path) == Place("e1:5")
    stored(path, "e1:5")
    with pytest.raises(Disconnected):
        client.subscribe("a", resume_file=path)


async def test_a_handler_finishes_an_event_by_returning(broker: FakeBroker, path: Path) -> None:
    client, peer = await broker.connected()
    done: asyncio.Queue[int | None] = asyncio.Queue()
    release = asyncio.Event()

    async def handle(event: Any) -> None:
        done.put_nowait(event.seq)
        await release.wait()

    registration = client.on("a", handle, resume_file=path)
    await peer.acknowledge_subscribe("e1:4")
    for seq in (5, 6):
        await peer.event("a", seq)
    async with asyncio.timeout(PATIENCE):
        assert await done.get() == 5
        assert now_in(path) == Place("e1:4")
        release.set()
        assert await done.get() == 6
    assert now_in(path).cursor in ("e1:5", "e1:6")
    registration()


async def test_the_blocking_twin_keeps_its_place_too(broker: FakeBroker, path: Path) -> None:
    def script() -> list[int | None]:
        with connect_sync(broker.url, drain_timeout=0.0) as client:
            with client.subscribe("a", resume_file=path, timeout=PATIENCE) as subscription:
                first = next(subscription).seq
                assert now_in(path) == Place("e1:4")
                second = next(subscription).seq
                assert now_in(path) == Place("e1:5")
            assert now_in(path) == Place("e1:6")
            return [first, second]

    running = asyncio.ensure_future(asyncio.to_thread(script))
    peer = await broker.accept()
    await peer.acknowledge_subscribe("e1:4")
    for seq in (5, 6):
        await peer.event("a", seq)
    assert await running == [5, 6]


async def test_the_blocking_twin_commits_and_ends_with_its_client(broker: FakeBroker, path: Path) -> None:
    def script() -> None:
        client = connect_sync(broker.url, drain_timeout=0.0)
        subscription = client.subscribe("a", resume_file=path, timeout=PATIENCE)
        next(subscription)
        subscription.commit()
        assert now_in(path) == Place("e1:5")
        for _ in subscription:
            client.disconnect()
        assert now_in(path) == Place("e1:6")
        subscription.commit()
        with subscription:
            pass
        stored(path, "e1:6")

    running = asyncio.ensure_future(asyncio.to_thread(script))
    peer = await broker.accept()
    await peer.acknowledge_subscribe("e1:4")
    for seq in (5, 6):
        await peer.event("a", seq)
    await running


async def test_a_subscription_without_a_file_reads_as_before(broker: FakeBroker, tmp_path: Path) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a")
    await peer.event("a", 1)
    await seqs(subscription, 1)
    subscription.commit()
    assert subscription.cursor == "e1:1"
    assert os.listdir(tmp_path) == []
