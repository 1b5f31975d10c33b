"""What the page about HTTP shows of curl is what happens."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from swarmwire_broker.server import Server

PAGE = (Path(__file__).parents[3] / "docs" / "http.md").read_text(encoding="utf-8")
TIMED_OUT = 28

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")


class Example(NamedTuple):
    """A command and what is shown of its answer, line by line."""

    command: str
    shown: list[str]


def examples() -> list[Example]:
    """The commands of the page that call curl, in order."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.rstrip("\n").split("\n")
            length = 1 + next(i for i, line in enumerate(lines) if not line.rstrip().endswith(("\\", "|")))
            found.append(Example("\n".join(lines[:length]), lines[length:]))
    return [example for example in found if "curl " in example.command]


def plain(text: str) -> str:
    """A line without what differs from run to run: names of logs and of clients, times."""
    text = re.sub(r"\b[0-9a-f]{16}:", "EPOCH:", text)
    text = re.sub(r'"ts":\d+', '"ts":0', text)
    return re.sub(r"anonymous:[0-9a-f]{12}", "anonymous:ID", text)


async def run(command: str, port: int) -> tuple[int, str]:
    """Its exit code and what it says. A stream is listened to for a second."""
    options = "curl -sS --max-time 1 " if "curl -N" in command else "curl -sS "
    command = command.replace("curl ", options).replace(":8765", f":{port}")
    process = await asyncio.create_subprocess_shell(
        command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TOKEN": "a-token-that-nobody-asks-for", "no_proxy": "*"},
    )
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


def test_the_page_has_commands_to_run() -> None:
    assert len(examples()) >= 5


async def test_its_commands_answer_what_it_shows(broker: Server) -> None:
    for command, shown in examples():
        code, output = await run(command, broker.port)
        is_stream = "curl -N" in command
        assert code == (TIMED_OUT if is_stream else 0), (command, output)
        said = [plain(line) for line in output.rstrip("\n").split("\n") if not line.startswith(":")]
        expected = [plain(line) for line in shown]
        if expected:
            assert said[: len(expected)] == expected, command
            assert is_stream or len(said) == len(expected), command
        assert '"error"' not in output, (command, output)
