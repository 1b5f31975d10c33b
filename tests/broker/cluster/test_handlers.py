"""Calls of methods that clients handle: asked at one broker, answered by a client of another, at most once."""

from __future__ import annotations

import pytest

from swarmwire_broker.cluster.bus import BusDown
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..services.callers import Caller, a_moment
from .rig import Handler, Node, town


async def failure(caller: Caller, method: str, **more: float) -> SwarmwireError:
    with pytest.raises(SwarmwireError) as found:
        await caller.call(method, **more)
    return found.value


async def test_a_call_is_answered_by_a_client_of_another_broker() -> None:
    async with town() as all:
        handler = await all[0].handler("greet")
        caller = all[1].caller()
        answer = caller.begin("greet", name="Ann")
        await a_moment()
        assert handler.asked[0]["params"] == {"name": "Ann"}
        assert handler.asked[0]["from"] == f"anonymous:{caller.id}"
        handler.reply({"hi": "Ann"})
        await a_moment()
        assert answer.result() == {"hi": "Ann"}


async def test_streamed_replies_come_one_by_one_and_end() -> None:
    async with town() as all:
        handler = await all[0].handler("count")
        caller = all[1].caller()
        caller.begin("count").cancel()
        caller._answers.clear()
        await a_moment()
        for number in range(3):
            handler.reply(number, more=True)
        handler.reply(None, end=True)
        await a_moment()
        replies = [message for message in caller.sink.received if message["type"] == "reply"]
        assert [reply["data"] for reply in replies] == [0, 1, 2, None]
        assert [reply.get("more", False) for reply in replies] == [True, True, True, False]
        assert replies[-1]["end"]
        assert not all[0].hub.calls.handlers.outstanding


async def test_an_error_of_a_handler_arrives_with_its_code() -> None:
    async with town() as all:
        handler = await all[0].handler("greet")
        caller = all[1].caller()
        answer = caller.begin("greet")
        await a_moment()
        handler.refuse("RUDE", "not you")
        await a_moment()
        assert answer.exception() is not None
        error = caller.sink.received[-1]
        assert (error["code"], error["handler_code"], error["message"]) == ("HANDLER_FAILED", "RUDE", "not you")


async def test_who_gives_a_call_up_cancels_it_at_the_other_broker() -> None:
    async with town() as all:
        handler = await all[0].handler("greet")
        caller = all[1].caller()
        answer = caller.begin("greet")
        await a_moment()
        caller.cancel(answer)
        await a_moment()
        assert handler.cancelled == [handler.asked[0]["id"]]
        handler.reply("too late")
        await a_moment()
        assert isinstance(answer.exception(), SwarmwireError)
        assert len(all[1].cluster._asking) == 0


async def test_the_end_of_a_caller_cancels_its_calls_elsewhere() -> None:
    async with town() as all:
        handler = await all[0].handler("greet")
        caller = all[1].caller()
        caller.begin("greet")
        await a_moment()
        caller.vanish()
        await a_moment()
        assert handler.cancelled == [handler.asked[0]["id"]]


async def test_the_end_of_a_handler_fails_its_calls_at_once() -> None:
    async with town() as all:
        handler = await all[0].handler("greet")
        answer = all[1].caller().begin("greet")
        await a_moment()
        handler.vanish()
        await a_moment()
        error = answer.exception()
        assert isinstance(error, SwarmwireError)
        assert error.code is ErrorCode.HANDLER_GONE


async def test_the_end_of_a_broker_fails_the_calls_of_its_handlers() -> None:
    async with town() as all:
        await all[0].handler("greet")
        caller = all[1].caller()
        answer = caller.begin("greet", timeout=60)
        await a_moment()
        all[0].kill()
        await all.advance(6.5)
        error = answer.exception()
        assert isinstance(error, SwarmwireError)
        assert error.code is ErrorCode.HANDLER_GONE
        assert (await failure(caller, "greet")).code is ErrorCode.METHOD_NOT_FOUND


async def test_a_call_that_is_not_answered_times_out_and_is_cancelled() -> None:
    async with town() as all:
        handler = await all[0].handler("greet")
        answer = all[1].caller().begin("greet", timeout=2)
        await all.advance(2.1)
        error = answer.exception()
        assert isinstance(error, SwarmwireError)
        assert error.code is ErrorCode.TIMEOUT
        assert len(handler.asked) == len(handler.cancelled) == 1


async def test_a_method_that_nobody_handles_is_not_found() -> None:
    async with town() as all:
        assert (await failure(all[1].caller(), "greet")).code is ErrorCode.METHOD_NOT_FOUND
        handler = await all[0].handler("greet")
        await handler.call("rpc.unregister", methods=["greet"])
        await all.advance(0.01)
        assert (await failure(all[1].caller(), "greet")).code is ErrorCode.METHOD_NOT_FOUND


async def test_a_handler_is_found_before_others_have_heard_of_it() -> None:
    async with town(3) as all:
        handler = Handler(all[0].hub)
        await handler.call("rpc.register", methods=["greet"])
        answer = all[1].caller().begin("greet")
        await a_moment()
        handler.reply("hi")
        await a_moment()
        assert answer.result() == "hi"


async def test_methods_of_the_broker_that_do_not_exist_are_asked_for_nowhere() -> None:
    async with town() as all:
        sent = len(all.way.sent)
        assert (await failure(all[1].caller(), "lock.steal")).code is ErrorCode.METHOD_NOT_FOUND
        assert len(all.way.sent) == sent


async def test_a_handler_that_went_unnoticed_is_not_waited_for() -> None:
    async with town() as all:
        handler = await all[0].handler("greet")
        handler.vanish()  # the others hear of it in a moment
        assert (await failure(all[1].caller(), "greet")).code is ErrorCode.METHOD_NOT_FOUND


async def test_calls_are_shared_by_the_handlers_of_all_brokers() -> None:
    async with town(3) as all:
        handlers = [await node.handler("work") for node in all.nodes]
        caller = all[2].caller()
        for _ in range(9):
            caller.begin("work")
            await a_moment()
        assert [len(handler.asked) for handler in handlers] == [3, 3, 3]


async def test_a_handler_at_home_comes_first_where_all_have_nothing_to_do() -> None:
    async with town() as all:
        away, home = await all[0].handler("work"), await all[1].handler("work")
        for _ in range(3):
            answer = all[1].caller().begin("work")
            await a_moment()
            home.reply(1)
            await a_moment()
            assert answer.result() == 1
        assert away.asked == []


async def test_the_load_that_others_told_is_taken_into_account() -> None:
    async with town(3) as all:
        busy, idle = await all[0].handler("work"), await all[1].handler("work")
        for _ in range(3):
            all[0].caller().begin("work", timeout=100)
            await a_moment()
        assert len(busy.asked) >= 1
        busy_before, idle_before = len(busy.asked), len(idle.asked)
        await all.advance(1.1)
        all[2].caller().begin("work")
        await a_moment()
        assert (len(busy.asked), len(idle.asked)) in ((busy_before, idle_before + 1), (busy_before + 1, idle_before))
        assert len(busy.asked) + len(idle.asked) == 4


async def test_what_one_broker_cannot_take_another_is_asked_for() -> None:
    async with town(3) as all:
        full, free = await all[0].handler("work"), await all[1].handler("work")
        full.vanish()  # nobody has heard of it yet, so it is asked first or second, and nothing is lost by it
        answers = [all[2].caller().begin("work") for _ in range(4)]
        await a_moment()
        assert len(free.asked) == 4
        assert not any(answer.done() for answer in answers)


async def test_each_call_is_handed_to_one_handler_alone() -> None:
    async with town(3) as all:
        handlers = [await node.handler("work") for node in all.nodes for _ in range(2)]
        callers = [node.caller() for node in all.nodes]
        for number in range(30):
            callers[number % 3].begin("work", n=number)
        await a_moment()
        numbers = sorted(asked["params"]["n"] for handler in handlers for asked in handler.asked)
        assert numbers == list(range(30))


async def test_rpc_list_counts_the_handlers_of_all_brokers() -> None:
    async with town() as all:
        for node in all.nodes:
            await node.handler("work")
        for node in all.nodes:
            listed = (await node.caller().call("rpc.list"))["methods"]
            assert {"method": "work", "builtin": False, "handlers": 2} in listed


async def test_the_broker_itself_asks_handlers_elsewhere() -> None:
    async with town() as all:
        pool = await all[1].handler("pool.p.one")
        worker = all[1].caller().begin("worker.scale", count=2, pool="p")
        await a_moment()
        assert pool.asked[0]["params"]["action"] == "scale"
        pool.reply({"pool": "p", "member": "one", "count": 2, "running": 2})
        await a_moment()
        assert worker.result()["running"] == 2


async def test_a_caller_that_does_not_read_ends_its_stream_at_the_other_broker() -> None:
    async with town() as all:
        handler = await all[0].handler("count")
        caller = all[1].caller()
        caller.begin("count").cancel()
        await a_moment()
        caller.sink.stall()
        for _ in range(40):
            handler.reply("x" * 400_000, more=True)
        await a_moment()
        assert handler.cancelled == [handler.asked[0]["id"]]


async def test_a_large_answer_is_cut_and_put_together_again() -> None:
    async with town(max_bytes=2_000) as all:
        handler = await all[0].handler("big")
        answer = all[1].caller().begin("big", text="y" * 9_000)
        await a_moment()
        assert handler.asked[0]["params"]["text"] == "y" * 9_000
        handler.reply("x" * 100_000)
        await a_moment()
        assert answer.result() == "x" * 100_000


async def test_an_answer_that_the_bus_does_not_take_at_once_comes_later() -> None:
    async with town(2) as all:
        handler = await all[0].handler("greet")
        answer = all[1].caller().begin("greet", timeout=100)
        await a_moment()

        def full(subject: str, payload: bytes) -> None:
            raise BusDown("too much waits")

        all[0].bus.publish = full  # type: ignore[method-assign]
        handler.reply("hello")
        await all.advance(1)
        assert not answer.done()
        del all[0].bus.publish
        await all.advance(0.1)
        assert answer.result() == "hello"


async def test_a_bus_that_is_lost_fails_what_is_on_its_way_and_is_used_again() -> None:
    async with town() as all:
        handler = await all[0].handler("greet")
        caller = all[1].caller()
        answer = caller.begin("greet")
        await a_moment()
        all[1].bus.set_up(False)
        await a_moment()
        error = answer.exception()
        assert isinstance(error, SwarmwireError)
        assert error.code is ErrorCode.HANDLER_GONE
        assert (await failure(caller, "greet")).code is ErrorCode.UNAVAILABLE
        all[1].bus.set_up(True)
        await a_moment()
        assert handler.cancelled == [handler.asked[0]["id"]]
        again = caller.begin("greet")
        await a_moment()
        handler.reply("hi")
        await a_moment()
        assert again.result() == "hi"


async def test_names_that_were_missed_are_asked_for() -> None:
    async with town() as all:
        all[1].bus.is_cut = True
        await all[0].handler("greet")
        all[1].bus.is_cut = False
        await all.advance(1.1)
        await a_moment()
        answer = all[1].caller().begin("greet", timeout=0.5)
        await a_moment()
        assert not answer.done()


async def test_a_broker_that_joins_hears_what_others_handle() -> None:
    async with town(3) as all:
        late: Node = all[2]
        await late.cluster.close()
        await all[0].handler("greet")
        assert "greet" in all[1].hub.calls.handled()
