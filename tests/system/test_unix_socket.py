"""The Unix socket of a broker that is a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import resource
import shutil
import socket
import stat
from pathlib import Path

import pytest

from swarmwire_protocol.places import runtime_directory

from .collected import PATIENCE
from .processes import BrokerProcess, Shell

HELLO = '{"type":"hello","versions":["1"],"client":{"name":"shell"}}\n'
DOCS = Path(__file__).parents[2] / "docs" / "transports.md"


def place(name: str) -> Path:
    """Where a broker of this name listens."""
    return runtime_directory() / f"{name}.sock"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def has_open(broker: BrokerProcess, files: int) -> None:
    """Wait until it has so many files open."""
    while True:
        if open_files(broker.pid) >= files:
            return
        await asyncio.sleep(0.01)


def half_close(path: Path, said: str) -> list[dict[str, object]]:
    """What a script gets that says something, ends its input, and reads to the end, as socat does."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(str(path))
        client.sendall(said.encode())
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    return [json.loads(line) for line in answer.splitlines()]


async def talk(path: Path, said: str) -> list[dict[str, object]]:
    return await asyncio.to_thread(half_close, path, said)


async def name_of(path: Path) -> object:
    welcome = (await talk(path, HELLO))[0]
    assert isinstance(welcome["server"], dict)
    return welcome["server"]["name"]


async def test_a_broker_is_found_by_its_name_and_its_file_goes_with_it(shell: Shell) -> None:
    broker = await shell.serve("--name", "found")
    assert (
        json.loads(await broker.err.first(lambda line: '"listening"' in line))["urls"][1] == f"unix://{place('found')}"
    )
    assert await name_of(place("found")) == "found"
    assert (mode_of(place("found")), mode_of(runtime_directory())) == (0o600, 0o700)
    assert (await broker.stop()).code == 0
    assert not [file.name for file in runtime_directory().iterdir() if file.name.startswith("found")]


async def test_brokers_of_two_names_do_not_meet(shell: Shell) -> None:
    await asyncio.gather(shell.serve("--name", "one"), shell.serve("--name", "two"))
    said = HELLO + '{"type":"publish","topic":"a","data":1,"id":1}\n'
    seqs = [[answer.get("seq") for answer in await talk(place("one"), said)][1] for _ in range(3)]
    assert seqs == [1, 2, 3]
    assert [answer.get("seq") for answer in await talk(place("two"), said)][1] == 1
    assert [await name_of(place(name)) for name in ("one", "two")] == ["one", "two"]


async def test_what_a_killed_broker_left_is_replaced(shell: Shell) -> None:
    for _ in range(3):
        broker = await shell.serve("--name", "killed", "--unix")
        assert await name_of(place("killed")) == "killed"
        await broker.kill()
        assert place("killed").is_socket()
        with pytest.raises(ConnectionRefusedError):
            await talk(place("killed"), HELLO)
    place("killed").unlink()


async def test_a_second_broker_of_a_name_leaves_the_first_its_socket(shell: Shell) -> None:
    first = await shell.serve("--name", "shared")
    second = await shell.serve("--name", "shared")
    assert "somebody listens at" in await second.err.first(lambda line: "goes on without" in line)
    assert second.port != first.port
    assert (await second.stop()).code == 0
    assert await name_of(place("shared")) == "shared"


async def test_a_broker_that_is_asked_for_a_place_that_is_taken_says_so_in_one_sentence(shell: Shell) -> None:
    path = runtime_directory() / "asked.sock"
    await shell.serve("--unix", str(path))
    refused = await shell.run("serve", "--port", "0", "--unix", str(path))
    assert refused.code == 2
    assert refused.err[-1] == f"swarmwire: somebody listens at {path} already"


async def test_what_is_stored_on_disk_is_acknowledged_after_the_end_of_the_input(shell: Shell) -> None:
    await shell.serve("--name", "disk", "--data", "log")
    publishes = "".join(f'{{"type":"publish","topic":"a","data":{n},"id":{n}}}\n' for n in range(1, 501))
    answers = await talk(place("disk"), HELLO + publishes.removesuffix("\n"))
    assert [answer.get("seq") for answer in answers[1:-1]] == list(range(1, 501))
    assert answers[-1]["type"] == "bye"


async def test_a_broker_that_has_no_files_left_to_open_accepts_again_when_it_has(shell: Shell) -> None:
    broker = await shell.serve("--name", "files")
    resource.prlimit(broker.pid, resource.RLIMIT_NOFILE, (40, 40))
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            client.connect(str(place("files")))
            with contextlib.suppress(ConnectionError):
                client.send(HELLO.encode())
        async with asyncio.timeout(PATIENCE):
            await has_open(broker, 40)
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(ConnectionError, IndexError):
                if await name_of(place("files")) == "files":
                    break
    assert (await broker.stop()).code == 0


@pytest.mark.skipif(not (shutil.which("socat") and shutil.which("jq")), reason="socat or jq is not installed")
async def test_the_examples_of_the_page_do_what_they_say(shell: Shell) -> None:
    found = re.search(r"### From a shell\n\n```sh\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    publish, latest, follow = found[1].split("\n# ")[1:]
    begin = found[1].split("\n# ")[0].replace('"${XDG_RUNTIME_DIR:?}/swarmwire"', f"'{runtime_directory()}'")
    await shell.serve()

    answer = await (await shell.script(f"{begin}\n# {publish}")).finish()
    assert [json.loads(line) for line in answer.out] == [{"type": "ack", "id": 1, "seq": 1}]
    answer = await (await shell.script(f"{begin}\n# {latest}")).finish()
    assert [json.loads(line) for line in answer.out] == [{"topic": "build.done", "data": {"ok": True}}]
    following = await shell.script(f"{begin}\n# {follow.replace('sleep 10', 'sleep 0.1')}")
    said = HELLO + '{"type":"publish","topic":"a","data":1,"id":1}\n'
    async with asyncio.timeout(PATIENCE):
        while not following.out.items:
            await talk(place("swarmwire"), said)
    assert json.loads(following.out.items[0]) == {"topic": "a", "data": 1}
