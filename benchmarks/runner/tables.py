"""The report's tables in Markdown: rows are servers, columns are workloads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .goals import Verdict
from .peers import PEERS
from .spreads import Runs, Spread, figure, number, ratio
from .workloads import WORKLOADS

__all__ = [
    "Entry",
    "against_table",
    "figures_table",
    "goals_table",
    "grid",
    "latency_table",
    "ratios_table",
    "rows_and_columns",
]

Entry = Callable[[str, str], str]
"""What stands in a cell: of a workload and a server."""

_NOTHING = "-"


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def rows_and_columns(runs: Runs, workloads: Sequence[str]) -> tuple[list[str], list[str]]:
    """The servers and the workloads of which there is any result."""
    there = {cell for cell, rounds in runs.items() if any(run is not None for run in rounds)}
    columns = [name for name in workloads if any(workload == name for workload, _ in there)]
    rows = [peer for peer in PEERS if any((name, peer) in there for name in columns)]
    return rows, columns


def _table(runs: Runs, workloads: Sequence[str], entry: Entry, without: str | None = None) -> str:
    rows, columns = rows_and_columns(runs, workloads)
    head = ["server", *(WORKLOADS[name].title for name in columns)]
    shown = [peer for peer in rows if peer != without]
    return grid(head, ([PEERS[peer].title, *(entry(name, peer) for name in columns)] for peer in shown))


def _text(value: Spread | None, digits: int = 3) -> str:
    return _NOTHING if value is None else value.text(digits)


def figures_table(runs: Runs, workloads: Sequence[str], name: str) -> str:
    """One figure of every server."""
    return _table(runs, workloads, lambda workload, peer: _text(figure(runs, (workload, peer), name)))


def ratios_table(runs: Runs, workloads: Sequence[str], name: str, ours: str = "swarmwire") -> str:
    """Ours divided by each other's: below 1 is less."""

    def entry(workload: str, peer: str) -> str:
        return _text(ratio(runs, (workload, ours), (workload, peer), name), 2)

    return _table(runs, workloads, entry, without=ours)


def against_table(runs: Runs, columns: Sequence[tuple[str, str, str, str]]) -> str:
    """Each server's figure divided by one server's: a title, the workload, the figure, and that server, a column."""
    rows, _ = rows_and_columns(runs, [workload for _, workload, _, _ in columns])

    def entry(peer: str, workload: str, name: str, other: str) -> str:
        return _NOTHING if peer == other else _text(ratio(runs, (workload, peer), (workload, other), name), 2)

    return grid(
        ["server", *(title for title, _, _, _ in columns)],
        ([PEERS[peer].title, *(entry(peer, *column) for _, *column in columns)] for peer in rows),
    )


def latency_table(runs: Runs, workloads: Sequence[str]) -> str:
    """p50 / p99 / p99.9 in microseconds, each the median of the rounds."""

    def entry(workload: str, peer: str) -> str:
        values = [figure(runs, (workload, peer), name) for name in ("p50_us", "p99_us", "p999_us")]
        return " / ".join(_NOTHING if value is None else number(value.median) for value in values)

    return _table(runs, workloads, entry)


def goals_table(verdicts: Sequence[Verdict]) -> str:
    """What was to be reached, and what was."""
    words = {True: "yes", False: "**no**", None: _NOTHING}
    return grid(
        ["goal", "at most or at least", "measured", "reached"],
        (
            [v.goal.what, f"{v.goal.relation} {number(v.goal.bound)}", _text(v.measured, 2), words[v.reached]]
            for v in verdicts
        ),
    )
