"""docs/methods.md lists every method of the broker, and who may call it."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import structs

from swarmwire_broker.broker import Broker
from swarmwire_broker.core.methods import Method

PAGE = Path(__file__).parents[2] / "docs" / "methods.md"
ROW = re.compile(r"\| `([a-z]+\.[a-z.-]+)`( \*\*admin\*\*)?( \*\*looks\*\*)? \|([^|]*)\|")


async def methods() -> dict[str, Method]:
    broker = Broker()
    await broker.start()
    found = {name: builtin.method for name, builtin in broker.hub.calls.methods.items()}
    await broker.stop()
    return found


def rows() -> dict[str, tuple[tuple[bool, bool], str]]:
    """The marks and the parameters of each row."""
    found = [row for line in PAGE.read_text(encoding="utf-8").splitlines() if (row := ROW.match(line))]
    names = [row[1] for row in found]
    assert len(names) == len(set(names))
    return {row[1]: ((bool(row[2]), bool(row[3])), row[4]) for row in found}


async def test_the_page_lists_every_method_and_marks_those_for_admins_and_those_that_look() -> None:
    described = {name: marks for name, (marks, _) in rows().items()}
    assert described == {name: (method.admin, method.looks) for name, method in (await methods()).items()}


async def test_the_page_names_every_parameter() -> None:
    for name, method in (await methods()).items():
        fields = {field.encode_name for field in structs.fields(method.params)}
        missing = {field for field in fields if f"`{field}`" not in rows()[name][1]}
        assert {field for field in missing if f"[`{field}" not in rows()[name][1]} == set(), name
