"""What docs/registry.md shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from swarmwire_broker.testing import BrokerFactory

from ..pages import programs_of, run_program

PROGRAMS = programs_of("docs/registry.md")
PRINTED = [
    r"[0-9a-f]{16} worker-1 online busy {'load': 0\.5}",
    "registered scout",
    "worker-1 True HERE",
    "hello.you hi",
]


@pytest.mark.parametrize(("program", "printed"), list(zip(PROGRAMS, PRINTED, strict=True)), ids=range(len(PRINTED)))
async def test_a_program_of_the_page_runs(
    program: str, printed: str, broker_factory: BrokerFactory, tmp_path: Path
) -> None:
    server = await broker_factory()
    code, output = await run_program(program, server.url, tmp_path)
    assert code == 0, output
    assert re.fullmatch(printed, output.strip())
