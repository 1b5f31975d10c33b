"""What docs/calls.md shows is what happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmwire_broker.testing import BrokerFactory

from ..pages import programs_of, run_program

PROGRAMS = programs_of("docs/calls.md")
PRINTED = [
    "{'item': 'tea', 'price': 3}",
    "HANDLER_FAILED OUT_OF_STOCK There is no cake. {'left': 0}",
    "[0, 1, 2]",
]


@pytest.mark.parametrize(("program", "printed"), list(zip(PROGRAMS, PRINTED, strict=True)), ids=range(len(PRINTED)))
async def test_a_program_of_the_page_runs(
    program: str, printed: str, broker_factory: BrokerFactory, tmp_path: Path
) -> None:
    server = await broker_factory()
    code, output = await run_program(program, server.url, tmp_path)
    assert code == 0, output
    assert output.strip() == printed
