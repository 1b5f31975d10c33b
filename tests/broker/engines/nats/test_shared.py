"""One question for all who ask at once."""

from __future__ import annotations

import asyncio

import pytest

from swarmwire_broker.engines.nats.shared import Shared


class Oracle:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[int]] = []

    async def __call__(self) -> int:
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_who_asks_while_it_is_asked_gets_the_next_answer() -> None:
    oracle = Oracle()
    shared = Shared(oracle)
    first = [asyncio.ensure_future(shared()) for _ in range(3)]
    await turns()
    later = [asyncio.ensure_future(shared()) for _ in range(3)]
    await turns()
    assert len(oracle.asked) == 1
    oracle.asked[0].set_result(1)
    assert await asyncio.gather(*first) == [1, 1, 1]
    await turns()
    oracle.asked[1].set_result(2)
    assert await asyncio.gather(*later) == [2, 2, 2]
    assert len(oracle.asked) == 2


async def test_what_asking_raises_is_told_to_those_who_asked_and_not_to_the_next() -> None:
    oracle = Oracle()
    shared = Shared(oracle)
    asking = asyncio.ensure_future(shared())
    await turns()
    oracle.asked[0].set_exception(OSError("away"))
    with pytest.raises(OSError, match="away"):
        await asking
    again = asyncio.ensure_future(shared())
    await turns()
    oracle.asked[1].set_result(3)
    assert await again == 3


async def test_who_gives_up_takes_nothing_from_the_others() -> None:
    oracle = Oracle()
    shared = Shared(oracle)
    one, two = asyncio.ensure_future(shared()), asyncio.ensure_future(shared())
    await turns()
    one.cancel()
    await turns()
    oracle.asked[0].set_result(1)
    assert await two == 1


async def test_closing_ends_what_is_asked() -> None:
    oracle = Oracle()
    shared = Shared(oracle)
    asking = asyncio.ensure_future(shared())
    await turns()
    await shared.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await shared.close()
