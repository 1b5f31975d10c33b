"""What docs/locks.md shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from swarmwire_broker.testing import BrokerFactory

from ..pages import programs_of, run_program

PROGRAMS = programs_of("docs/locks.md")
PRINTED = [
    r"only we are here, token \d+",
    "page 0\npage 1\npage 2",
    "held True",
    "locked True True",
    "held by files",
]


@pytest.mark.parametrize(("program", "printed"), list(zip(PROGRAMS, PRINTED, strict=True)), ids=range(len(PRINTED)))
async def test_a_program_of_the_page_runs(
    program: str, printed: str, broker_factory: BrokerFactory, tmp_path: Path
) -> None:
    server = await broker_factory()
    # The last one looks for a broker of this machine, where none of ours is to be found.
    program = program.replace('machine_lock("config-file"', 'machine_lock("config-file", broker="nobody"')
    places = {"SWARMWIRE_LOCK_DIR": str(tmp_path / "locks"), "SWARMWIRE_RUNTIME_DIR": str(tmp_path)}
    code, output = await run_program(program, server.url, tmp_path, **places)
    assert code == 0, output
    assert re.fullmatch(printed, output.strip())
