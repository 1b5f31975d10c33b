"""docs/scaling.md computes what it says it computes, from what was measured."""

from __future__ import annotations

import ast
import json
import operator
import re
import statistics
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import pytest

from swarmwire_broker.config import Config
from swarmwire_broker.engines.nats.streams import description, stream_name, topic_prefix
from swarmwire_broker.sources import settings_of

from .pages import ROOT

PAGE: Final = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
BENCH: Final = json.loads((ROOT / "docs" / "performance.json").read_text(encoding="utf-8"))
_ROW: Final = re.compile(r"^\| `(\w+)` \| (.+?) \| ([\d,.]+) \| (.+) \|$", re.MULTILINE)
_MEASURED: Final = re.compile(r"bench: `([\w-]+)` `(\w+)`(?: of `(\w+)`)?")
_RUN: Final = re.compile(r"run (\d+)")
_OPERATORS: Final[Mapping[type, Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class Row(NamedTuple):
    """A figure of the page, and how it is known."""

    name: str
    what: str
    figure: str
    how: str

    @property
    def value(self) -> float:
        return float(self.figure.replace(",", ""))


ROWS: Final = [Row(*found) for found in _ROW.findall(PAGE)]
VALUES: Final = {row.name: row.value for row in ROWS}
MEASURED: Final = [row for row in ROWS if row.how.startswith("bench")]
RUN: Final = [row for row in ROWS if row.how.startswith("run")]
COMPUTED: Final = [row for row in ROWS if row.how.startswith("=")]
CHOSEN: Final = [row for row in ROWS if row.how.startswith("chosen")]


def named(rows: list[Row]) -> list[object]:
    return [pytest.param(row, id=row.name) for row in rows]


def is_rounded_from(figure: str, value: float) -> bool:
    """Whether a figure is this value, as far as its digits go."""
    _, _, decimals = figure.partition(".")
    unit: float = 10.0 ** -len(decimals)
    return abs(float(figure.replace(",", "")) - value) <= 0.5000001 * unit


def evaluated(formula: str) -> float:
    return _value(ast.parse(formula.replace("`", ""), mode="eval").body)


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=name):
            return VALUES[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)](_value(left), _value(right))
        case _:
            raise ValueError(f"expected names, whole numbers and + - * /, got {ast.unparse(node)}")


def test_every_figure_says_how_it_is_known_and_has_a_name_of_its_own() -> None:
    assert len(VALUES) == len(ROWS)
    assert len(MEASURED) + len(RUN) + len(COMPUTED) + len(CHOSEN) == len(ROWS)
    assert min(map(len, (MEASURED, RUN, COMPUTED, CHOSEN))) >= 5


@pytest.mark.parametrize("row", named(MEASURED))
def test_a_figure_of_the_bench_is_the_median_of_its_rounds(row: Row) -> None:
    found = _MEASURED.fullmatch(row.how)
    assert found is not None, row.how
    workload, figure, server = found[1], found[2], found[3] or "swarmwire"
    runs = [run["figures"][figure] for run in BENCH["runs"] if (run["workload"], run["server"]) == (workload, server)]
    assert is_rounded_from(row.figure, statistics.median(runs))


@pytest.mark.parametrize("row", named(RUN))
def test_a_figure_of_a_run_stands_in_what_is_told_of_it(row: Row) -> None:
    found = _RUN.fullmatch(row.how)
    assert found is not None, row.how
    told = re.search(rf"^{found[1]}\. (.+?)(?=^\d\. |\Z)", PAGE[PAGE.index("## Runs of this page") :], re.M | re.S)
    assert told is not None
    assert re.search(rf"(?<![\d.,]){re.escape(row.figure)}(?![\d]|[.,]\d)", told[1])


@pytest.mark.parametrize("row", named(COMPUTED))
def test_a_computed_figure_is_what_its_formula_gives(row: Row) -> None:
    assert is_rounded_from(row.figure, evaluated(row.how.removeprefix("= "))), evaluated(row.how.removeprefix("= "))


def test_the_plan_uses_everything_it_begins_with() -> None:
    plan = [Row(*found) for found in _ROW.findall(PAGE[PAGE.index("## A plan for") :])]
    used = {name for row in plan if row.how.startswith("=") for name in re.findall(r"`(\w+)`", row.how)}
    assert {row.name for row in plan if not row.how.startswith("=")} <= used


def test_the_plan_stays_within_what_one_broker_was_seen_to_hold() -> None:
    assert VALUES["held"] < VALUES["remaining"] < VALUES["tried"]
    assert VALUES["cpu"] < 50


def test_every_setting_of_the_page_exists() -> None:
    settings = {setting.name for setting in settings_of(Config)}
    named = set(re.findall(r"`(limits\.\w+|nats_\w+)`", PAGE))
    assert len(named) > 15
    assert named <= settings


def test_what_the_page_says_is_in_nats_has_the_names_of_the_code() -> None:
    assert stream_name("main") in PAGE
    assert f"`{topic_prefix('<space>').decode()}<topic>`" in PAGE
    assert f"--description '{description(2)}'" in PAGE


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)[^)]*\)", PAGE))))
def test_a_link_of_the_page_leads_somewhere(link: str) -> None:
    assert "://" in link or (ROOT / "docs" / link).exists()
