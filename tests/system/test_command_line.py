"""The command line as people use it: separate processes, pipes, Ctrl-C."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from typing import Any

import pytest

from swarmwire import connect

from .journal import watch
from .processes import BrokerProcess, Finished, Shell


def events(finished: Finished) -> list[Any]:
    assert (finished.code, finished.err) == (0, [])
    return [json.loads(line)["data"] for line in finished.out]


def refused(finished: Finished) -> str:
    """The one sentence of a command that could not begin."""
    assert finished.out == []
    assert len(finished.err) == 1, finished.err
    assert finished.code == 2
    return finished.err[0]


async def fill(broker: BrokerProcess, count: int) -> None:
    """Publish 1, 2, ... on the topics log.odd and log.even."""
    async with connect(broker.url) as client:
        for number in range(1, count + 1):
            await client.publish("log.odd" if number % 2 else "log.even", number)


# ---- pub and sub


async def test_sub_prints_what_pub_sends_as_it_comes(shell: Shell) -> None:
    broker = await shell.serve()
    async with connect(broker.url) as client:
        arrivals = await watch(client, "$sys.client.subscribed")
        sub = await shell.start("sub", "agent.*.status", "--json", "--url", broker.url)
        await arrivals.first(lambda item: getattr(item, "data", {}).get("pattern") == "agent.*.status")
        for topic, data in (("agent.a1.status", '{"state": "idle"}'), ("agent.a1", "no"), ("agent.b.status", "grüße")):
            assert (await shell.run("pub", topic, data, "--url", broker.url)).code == 0
        await sub.out.reach(2)
        await arrivals.close()
    finished = await sub.interrupt()
    records = [json.loads(line) for line in finished.out]
    assert [(it["topic"], it["seq"], it["data"]) for it in records] == [
        ("agent.a1.status", 1, {"state": "idle"}),
        ("agent.b.status", 3, "grüße"),
    ]
    assert (finished.code, finished.err) == (0, [])


async def test_sub_begins_where_it_is_told(shell: Shell) -> None:
    broker = await shell.serve()
    await fill(broker, 6)
    whole = await shell.run("sub", "#", "--from", "start", "-n", "6", "--json", "--url", broker.url)
    records = [json.loads(line) for line in whole.out]
    third = records[2]

    async def read(start: str, count: int, pattern: str = "#") -> list[Any]:
        return events(await shell.run("sub", pattern, "--from", start, "-n", str(count), "--json", "--url", broker.url))

    found = await asyncio.gather(
        read("start", 6),
        read("latest", 2),
        read("last:3", 3),
        read("last:2", 2, "log.odd"),
        read(third["cursor"], 3),
        read(f"since:{third['ts']}", 2),
        read("since:1h", 6),
    )
    assert found[0] == [1, 2, 3, 4, 5, 6]
    assert found[1] == [5, 6]
    assert found[2] == [4, 5, 6]
    assert found[3] == [3, 5]
    assert found[4] == [4, 5, 6]
    assert found[5] == [it["data"] for it in records if it["ts"] >= third["ts"]][:2]
    assert found[6] == [1, 2, 3, 4, 5, 6]


async def test_pub_publishes_every_line_of_its_input_in_order(shell: Shell) -> None:
    broker = await shell.serve()
    lines = [f'{{"n":{number}}}' for number in range(3000)]
    published = await shell.run("pub", "log", "-", "--url", broker.url, input="\n".join(lines) + "\n")
    assert (published.code, published.err) == (0, [])
    assert published.out == [str(seq) for seq in range(1, 3001)]
    read = await shell.run("sub", "log", "--from", "start", "-n", "3000", "--json", "--url", broker.url)
    assert events(read) == [{"n": number} for number in range(3000)]


async def test_a_line_is_published_before_the_next_one_is_there(shell: Shell) -> None:
    broker = await shell.serve()
    pub = await shell.start("pub", "log", "-", "--url", broker.url, stdin=PIPE)
    for number in (1, 2, 3):
        await pub.write(f"{number}\n")
        assert (await pub.out.reach(number))[-1] == str(number)
    finished = await pub.interrupt()
    assert (finished.code, finished.out, finished.err) == (130, ["1", "2", "3"], [])


@pytest.mark.parametrize("count", [1, 5000])
async def test_sub_ends_with_the_command_that_reads_it(shell: Shell, count: int) -> None:
    broker = await shell.serve()
    await fill(broker, count)
    script = '$SWARMWIRE sub "#" --from start --json | head -n 1; echo "exit ${PIPESTATUS[0]}"'
    finished = await (await shell.script(script, SWARMWIRE_URL=broker.url)).finish()
    assert json.loads(finished.out[0])["data"] == 1
    assert (finished.out[1:], finished.err) == (["exit 0"], [])


async def test_ctrl_c_before_the_count_is_reached_is_told_by_the_exit_code(shell: Shell) -> None:
    broker = await shell.serve()
    await fill(broker, 1)
    sub = await shell.start("sub", "#", "--from", "start", "-n", "2", "--url", broker.url)
    await sub.out.reach(1)
    finished = await sub.interrupt()
    assert (finished.code, len(finished.out), finished.err) == (130, 1, [])


async def test_sub_goes_on_after_its_broker_was_started_again(shell: Shell) -> None:
    broker = await shell.serve()
    await fill(broker, 2)
    sub = await shell.start("sub", "#", "--from", "start", "--json", "--url", broker.url)
    await sub.out.reach(2)
    await broker.kill()
    await sub.err.reach(1)
    again = await shell.serve(port=broker.port)
    await fill(again, 1)
    await sub.out.reach(4)
    finished = await sub.interrupt()
    assert [json.loads(line)["type"] for line in finished.out] == ["event", "event", "gap", "event"]
    assert json.loads(finished.out[2])["reason"] == "epoch"
    assert finished.err == ["swarmwire: connection lost, reconnecting", "swarmwire: connected again"]
    assert finished.code == 0


# ---- status


async def test_status_of_a_broker_that_is_up(shell: Shell) -> None:
    broker = await shell.serve("--name", "factory")
    await fill(broker, 3)
    shown, as_json = await asyncio.gather(
        shell.run("status", "--url", broker.url), shell.run("status", "--json", "--url", broker.url)
    )
    assert (shown.code, shown.err) == (0, [])
    assert any(line.split()[:2] == ["broker", "factory"] for line in shown.out)
    found = json.loads(as_json.out[0])
    assert (as_json.code, len(as_json.out), as_json.err) == (0, 1, [])
    assert found["ready"] is True
    assert found["server"]["name"] == "factory"
    assert found["server"]["pid"] == broker.pid
    assert found["durability"] == "accepted"
    assert (found["figures"]["log_events"], found["figures"]["publishes_total"]) == (3, 3)


async def test_without_a_broker_every_command_says_so(shell: Shell) -> None:
    broker = await shell.serve()
    await broker.stop()
    commands = (("status",), ("status", "--json"), ("pub", "a", "1"), ("sub", "#"))
    for finished in await asyncio.gather(*(shell.run(*command, "--url", broker.url) for command in commands)):
        sentence = refused(finished)
        assert sentence.startswith(f"swarmwire: no broker answers at {broker.url} (")
        assert "swarmwire serve" in sentence


# ---- serve


@pytest.mark.parametrize("how", ["terminate", "interrupt"])
async def test_a_broker_that_is_told_to_stop_exits_with_0(shell: Shell, how: str) -> None:
    broker = await shell.serve()
    finished = await (broker.stop() if how == "terminate" else broker.interrupt())
    assert finished.code == 0
    assert [entry["event"] for entry in broker.log()] == ["listening", "draining"]
    assert finished.out == []


async def test_two_brokers_share_nothing_and_a_third_names_the_port_that_is_busy(shell: Shell) -> None:
    first, second = await asyncio.gather(shell.serve(), shell.serve())
    assert first.port != second.port
    await fill(first, 2)
    async with connect(second.url) as client:
        assert (await client.publish("only.here", 1)).seq == 1
        journal = await watch(client, "#", from_="start")
        await journal.reach(1)
        assert [event.topic for event in journal.events] == ["only.here"]
        await journal.close()
    sentence = refused(await shell.run("serve", "--port", str(second.port)))
    assert sentence.startswith(f"swarmwire: cannot listen at 127.0.0.1:{second.port}: ")


async def test_no_broker_serves_other_machines_without_a_login(shell: Shell) -> None:
    sentence = refused(await shell.run("serve", "--port", "0", "--host", "0.0.0.0"))
    assert sentence.startswith("swarmwire: host is 0.0.0.0")
    assert "auth.token_file" in sentence
    assert "--insecure" in sentence
    insecure = await shell.serve("--host", "0.0.0.0", "--insecure")
    assert (await shell.run("pub", "a", "1", "--url", insecure.url)).out == ["1"]


async def test_a_wrong_setting_is_named_with_where_it_came_from(shell: Shell) -> None:
    shell.file("wrong.toml", "[limits]\nheartbeat_ms = 'often'\n")
    shell.file("unknown.toml", "prot = 1\n")
    flag, variable, value, text, unknown = await asyncio.gather(
        shell.run("serve", "--set", "limits.max_conections=1"),
        shell.run("serve", SWARMWIRE_LIMITS_HEARTBEAT="1"),
        shell.run("serve", SWARMWIRE_PORT="many"),
        shell.run("serve", "--config", "wrong.toml"),
        shell.run("serve", "--config", "unknown.toml"),
    )
    assert "limits.max_conections (command line)" in refused(flag)
    assert "limits.max_connections" in refused(flag)
    assert "SWARMWIRE_LIMITS_HEARTBEAT (environment)" in refused(variable)
    assert refused(value).startswith("swarmwire: port (environment SWARMWIRE_PORT)")
    assert refused(text).startswith("swarmwire: limits.heartbeat_ms (file wrong.toml)")
    assert refused(unknown).startswith("swarmwire: prot (file unknown.toml)")


async def test_flags_win_over_the_environment_and_that_over_the_file(shell: Shell) -> None:
    shell.file("swarmwire.toml", "name = 'file'\n[limits]\nmax_subscriptions = 1\nheartbeat_ms = 1000\n")
    broker = await shell.serve("--name", "flag", SWARMWIRE_NAME="env", SWARMWIRE_LIMITS_MAX_SUBSCRIPTIONS="2")
    async with connect(broker.url) as client:
        assert client.server is not None
        assert client.server.name == "flag"
        assert client.limits["max_subscriptions"] == 2
    assert (await shell.run("pub", "a", "1", "--url", broker.url)).out == ["1"]
