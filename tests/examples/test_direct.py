"""One program asks another by its name."""

from __future__ import annotations

import json

from swarmwire import MemoryBus, connect
from swarmwire_broker.server import Server

from .program import finished, program


async def test_a_program_answers_what_another_asks_it_by_name(broker: Server) -> None:
    async with program("direct", "--url", broker.url, "serve", "greeter") as greeter:
        await greeter.line("greeter answers.*")
        code, (line,) = await finished("direct", "--url", broker.url, "ask", "greeter", '{"name": "Ada"}')
        assert code == 0
        answer = json.loads(line)
        assert (answer["greeting"], answer["pid"]) == ("Hello Ada, says greeter", greeter.process.pid)
        assert await greeter.interrupt() == 0


async def test_a_request_that_is_none_is_refused_by_name(broker: Server) -> None:
    async with program("direct", "--url", broker.url, "serve", "greeter") as greeter:
        await greeter.line("greeter answers.*")
        for request in ("{}", '{"name": 7}', '{"name": ""}', "null"):
            code, (line,) = await finished("direct", "--url", broker.url, "ask", "greeter", request)
            assert code == 1
            assert line.startswith("INVALID_REQUEST: Expected ")


async def test_a_name_that_nobody_serves_is_an_error_at_once(broker: Server) -> None:
    code, (line,) = await finished("direct", "--url", broker.url, "ask", "nobody", "{}")
    assert (code, line.partition(":")[0]) == (1, "METHOD_NOT_FOUND")


async def test_one_connection_asks_many_times_and_two_names_do_not_meet() -> None:
    from examples.direct import ask, serve

    async with MemoryBus() as bus, connect(bus.url) as client:
        await serve(bus, "one")
        await serve(bus, "two")
        answers = [await ask(client, name, {"name": "Ada"}) for name in ("one", "two", "one")]
        assert [answer["greeting"].rpartition(" ")[2] for answer in answers] == ["one", "two", "one"]
        assert {answer["asked_by"] for answer in answers} == {f"anonymous:{client.id}"}
