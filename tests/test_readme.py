"""What the README shows is what happens."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from swarmwire_broker.config import Config
from swarmwire_broker.server import Server

from .pages import ROOT, programs_of, run, run_program

README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = programs_of("README.md")
PROGRAMS = [block for block in PYTHON if "def test_" not in block]
TESTS = [block for block in PYTHON if "def test_" in block]


TOOLS = all(shutil.which(tool) for tool in ("bash", "curl", "jq", "socat"))
SHELL = [block for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL) if re.search(r"curl|socat", block)]


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
