"""The bench is no installed package: its tests find it beside the tests. What they need is compiled once."""

import asyncio
import json
import shutil
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.runner.installs import Compile
from benchmarks.runner.places import BENCHMARKS


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Compile], Path]:
    """Compiles a program of the bench, warnings being errors; once for all tests."""
    if sys.platform != "linux" or shutil.which("cc") is None:
        pytest.skip("the programs of the bench need Linux and a C compiler")
    folder = tmp_path_factory.mktemp("programs")

    def program(wanted: Compile) -> Path:
        target = folder / wanted.program
        if not target.exists():
            sources = [str(BENCHMARKS / source) for source in wanted.sources]
            flags = ("-O2", "-Wall", "-Wextra", "-Werror")
            subprocess.run(["cc", *flags, "-o", str(target), *sources, "-lm"], check=True)
        return target

    return program


@pytest.fixture
def figures_of() -> Callable[..., Awaitable[dict[str, float | None]]]:
    """Runs the load generator and returns what it says."""

    async def run(*command: str) -> dict[str, float | None]:
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
        async with asyncio.timeout(30):
            output, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        figures: dict[str, float | None] = json.loads(output)
        return figures

    return run
