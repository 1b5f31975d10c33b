"""What the README shows is what happens."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

from swarmwire_broker.server import Server

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
PROGRAMS = [block for block in PYTHON if "def test_" not in block]
TESTS = [block for block in PYTHON if "def test_" in block]


async def _run(*command: str, cwd: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


def test_the_readme_has_programs_to_run() -> None:
    assert len(PROGRAMS) >= 4
    assert len(TESTS) == 1


@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_program_of_the_readme_runs(program: str, broker: Server, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(program.replace("ws://127.0.0.1:8765/ws", broker.url), encoding="utf-8")

    code, output = await _run(sys.executable, "-W", "error", str(script), cwd=tmp_path)

    assert code == 0, output
    assert "Traceback" not in output
    assert output.count("\n") >= program.count("print(") > 0 or "print(" not in program or "Gap" in program


async def test_the_test_of_the_readme_passes_in_a_project_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_readme_example.py").write_text(TESTS[0], encoding="utf-8")

    code, output = await _run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)

    assert code == 0, output
    assert "1 passed" in output


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_a_link_of_the_readme_leads_somewhere(link: str) -> None:
    assert "://" in link or (ROOT / link).exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z-]+)", README))))
def test_a_make_command_of_the_readme_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
