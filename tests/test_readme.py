"""What the README shows is what happens."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
import sysconfig
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from swarmwire_broker.config import Config
from swarmwire_broker.server import Server

from .nats.servers import Version, needs
from .pages import ROOT, programs_of, run, run_program
from .system.processes import BrokerProcess, Command

README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = programs_of("README.md")
PROGRAMS = [block for block in PYTHON if "def test_" not in block]
TESTS = [block for block in PYTHON if "def test_" in block]


TOOLS = all(shutil.which(tool) for tool in ("bash", "curl", "jq", "socat"))
CONSOLE = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
SHELL = [block for block in CONSOLE if re.search(r"curl|socat", block)]
CLUSTER = [block for block in CONSOLE if "nats-server" in block]


def test_the_readme_has_programs_to_run() -> None:
    assert len(PROGRAMS) >= 4
    assert len(TESTS) == 1


@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_program_of_the_readme_runs(program: str, tmp_path: Path) -> None:
    async with Server(Config(port=0)) as server:
        code, output = await run_program(program, server.url, tmp_path)

    assert code == 0, output
    assert "Traceback" not in output
    assert output.count("\n") >= program.count("print(") > 0 or "print(" not in program or "Gap" in program


async def test_the_test_of_the_readme_passes_in_a_project_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_readme_example.py").write_text(TESTS[0], encoding="utf-8")

    code, output = await run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)

    assert code == 0, output
    assert "1 passed" in output


@pytest.mark.skipif(not TOOLS and "CI" not in os.environ, reason="needs curl, jq and socat")
async def test_what_the_readme_types_into_a_shell_prints_what_it_shows(tmp_path: Path) -> None:
    assert len(SHELL) == 2
    commands, shown = _session("".join(SHELL))
    async with Server(Config(port=0, unix=str(tmp_path / "swarmwire" / "swarmwire.sock"))) as server:
        script = commands.replace("127.0.0.1:8765", f"127.0.0.1:{server.port}")

        code, output = await run("env", f"XDG_RUNTIME_DIR={tmp_path}", "bash", "-euc", script, cwd=tmp_path)

    assert (code, output) == (0, shown)


@needs(Version.NEWEST)
@pytest.mark.skipif(not TOOLS and "CI" not in os.environ, reason="needs jq")
async def test_what_the_readme_publishes_at_one_broker_is_heard_at_the_other(tmp_path: Path) -> None:
    assert len(CLUSTER) == 1
    commands, shown = _session(_on_free_ports(CLUSTER[0]))
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    env = {"PATH": path, "XDG_RUNTIME_DIR": str(tmp_path), "SWARMWIRE_LOG_FORMAT": "json"}
    async with AsyncExitStack() as stack:
        for command in re.findall(r"^(.+) &$", commands, re.MULTILINE):
            stack.push_async_callback((await _begun(command, tmp_path, env)).kill)
        rest = re.sub(r"^.+ &\n", "", commands, flags=re.MULTILINE)

        code, output = await run("bash", "-euc", rest, cwd=tmp_path, **env)

    assert (code, output) == (0, shown)


def _on_free_ports(block: str) -> str:
    """A block with its ports, and that of the NATS server, which it leaves out, replaced by some that are free."""
    block = block.replace("nats-server ", "nats-server --port 4222 ")
    for port in ("4222", "8765", "8766"):
        block = re.sub(rf"(?<=[: ]){port}\b", str(_free_port()), block)
    return block


async def _begun(command: str, directory: Path, env: dict[str, str]) -> Command:
    """A command that goes on; a broker listens."""
    program, *arguments = command.split()
    found = shutil.which(program, path=env["PATH"])
    assert found is not None, program
    if program != "swarmwire":
        return await Command.start(found, *arguments, directory=directory, env=env)
    broker = await BrokerProcess.start(found, *arguments, directory=directory, env=env)
    await broker.listening()
    return broker


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _session(block: str) -> tuple[str, str]:
    """The commands of a shell, and what they print."""
    lines = block.splitlines(keepends=True)
    commands = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return "".join(commands), "".join(line for line in lines if not line.startswith("$ "))


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_a_link_of_the_readme_leads_somewhere(link: str) -> None:
    assert "://" in link or (ROOT / link).exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z-]+)", README))))
def test_a_make_command_of_the_readme_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
