"""The report: what was measured as JSON, as tables between the markers of a document, and as a chart."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .chart import draw
from .columns import COLUMNS
from .goals import judge
from .peers import PEERS
from .rounds import TOPIC_MATCH, Plan, Results
from .spreads import Cell, Runs, figure, number
from .tables import against_table, figures_table, goals_table, grid, latency_table, ratios_table, rows_and_columns
from .workloads import WORKLOADS, Shown

__all__ = ["BEGIN", "END", "Record", "between_markers", "load", "render", "save", "write_chart"]

BEGIN: Final = "<!-- bench: begin (written by `make bench`) -->"
END: Final = "<!-- bench: end -->"

_CPU: Final = "cpu_us_per_delivery"


@dataclass(frozen=True)
class Record:
    """A whole run, as it is kept."""

    machine: dict[str, str]
    rounds: int
    seconds: float
    skipped: tuple[str, ...]
    overload_rate: float | None
    failures: tuple[str, ...]
    runs: Runs
    wanted: int = 0
    """The rounds that were to be run; more than `rounds` if it was interrupted."""

    @classmethod
    def of(cls, plan: Plan, results: Results, machine: dict[str, str], skipped: Sequence[str]) -> Record:
        """The record of the rounds that are done."""
        return cls(
            machine=machine,
            rounds=results.rounds,
            wanted=plan.rounds,
            seconds=plan.times.measured,
            skipped=tuple(skipped),
            overload_rate=results.overload_rate,
            failures=tuple(results.failures),
            runs=results.runs,
        )


def save(record: Record, path: Path) -> None:
    """Write a record as JSON, one run of the load generator a line."""
    head = {name: value for name, value in vars(record).items() if name != "runs"}
    lines = [
        json.dumps({"workload": workload, "server": server, "round": number, "figures": figures})
        for (workload, server), rounds in record.runs.items()
        for number, figures in enumerate(rounds, start=1)
    ]
    path.write_text(json.dumps(head)[:-1] + ', "runs": [\n' + ",\n".join(lines) + "\n]}\n", encoding="utf-8")


def load(path: Path) -> Record:
    """The record that was written there."""
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    runs: dict[Cell, list[dict[str, float | None] | None]] = {}
    for run in kept.pop("runs"):
        runs.setdefault((run["workload"], run["server"]), []).append(run["figures"])
    skipped, failures = tuple(kept.pop("skipped")), tuple(kept.pop("failures"))
    return Record(skipped=skipped, failures=failures, runs=runs, **kept)


def write_chart(record: Record, path: Path) -> None:
    """Draw the chart of a record."""
    path.write_text(draw(record.runs), encoding="utf-8")


def between_markers(document: str, text: str) -> str:
    """The document with the text between its markers; ValueError where they are missing."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document needs the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}"


def render(record: Record) -> str:
    """Everything that a run says, in Markdown."""
    return "\n\n".join(part for part in _parts(record) if part) + "\n"


def _parts(record: Record) -> Iterator[str]:
    yield _setting(record)
    yield "### What was to be reached\n\n" + goals_table([v for v in judge(record.runs) if v.measured is not None])
    for title, rows in _SECTIONS:
        text = rows(record)
        if text:
            yield f"### {title}\n\n{text}"
    odd = _oddities(record)
    if odd:
        yield "### What else was noticed\n\n" + "\n".join(f"- {line}" for line in odd)
    if record.failures:
        yield "### Runs without a result\n\n" + "\n".join(f"- {failure}" for failure in record.failures)


def _setting(record: Record) -> str:
    versions = ", ".join(f"{PEERS[name].title} {record.machine[name]}" for name in PEERS if name in record.machine)
    skipped = f" Not here: {', '.join(PEERS[name].title for name in record.skipped)}." if record.skipped else ""
    rounds = (
        f"{record.rounds} of {record.wanted} rounds" if record.wanted > record.rounds else f"{record.rounds} rounds"
    )
    return (
        f"{record.machine['date']}, {record.machine['processor']}, {record.machine['cores']} cores, "
        f"{record.machine['system']}, Python {record.machine['python']}. {rounds}, "
        f"{record.seconds:g} s measured each time where nothing else is said. {versions}.{skipped}"
    )


def _named(shown: Shown) -> list[str]:
    return [name for name, workload in WORKLOADS.items() if workload.shown is shown]


def _any(record: Record, workloads: Sequence[str]) -> bool:
    return bool(rows_and_columns(record.runs, workloads)[1])


def _halves(record: Record, shown: Shown, width: int = 6) -> list[list[str]]:
    """Workloads in groups that make tables of a readable width."""
    names = rows_and_columns(record.runs, _named(shown))[1]
    return [names[at : at + width] for at in range(0, len(names), width)]


def _costs(record: Record) -> str:
    return "\n\n".join(figures_table(record.runs, names, _CPU) for names in _halves(record, Shown.COST))


def _ratios(record: Record) -> str:
    return "\n\n".join(ratios_table(record.runs, names, _CPU) for names in _halves(record, Shown.COST))


def _rates(record: Record) -> str:
    return "\n\n".join(figures_table(record.runs, names, "delivery_rate") for names in _halves(record, Shown.COST))


def _saturated_latency(record: Record) -> str:
    return "\n\n".join(latency_table(record.runs, names) for names in _halves(record, Shown.COST))


def _paced(record: Record) -> str:
    names = _named(Shown.PACED)
    if not _any(record, names):
        return ""
    rate = record.overload_rate
    overload = f"Overload offers {number(rate * 100)} deliveries a second." if rate else ""
    tables = (
        ("CPU per delivery, microseconds:", figures_table(record.runs, names, _CPU)),
        ("p50 / p99 / p99.9, microseconds:", latency_table(record.runs, names)),
        ("Not delivered some seconds after the end:", figures_table(record.runs, names, "lost")),
    )
    return "\n\n".join([*([overload] if overload else []), *(f"{title}\n\n{table}" for title, table in tables)])


def _acks(record: Record) -> str:
    names = rows_and_columns(record.runs, _named(Shown.ACKS))[1]
    rows = ([WORKLOADS[name].title, *_with_and_without(record, name)] for name in names)
    return grid(["workload", "without `id`", "with `id` and ack", "acks a second"], rows) if names else ""


def _with_and_without(record: Record, name: str) -> list[str]:
    acked, plain = (name, "swarmwire"), (name.removesuffix("-acks"), "swarmwire")
    return [_entry(record, plain, _CPU), _entry(record, acked, _CPU), _entry(record, acked, "answer_rate")]


def _by_server(record: Record, shown: Shown) -> str:
    """One row for a workload and server, one column a figure."""
    rows, workloads = rows_and_columns(record.runs, _named(shown))
    lines = [
        [
            PEERS[peer].title,
            WORKLOADS[name].title,
            *(_entry(record, (name, peer), column) for column, _ in COLUMNS[shown]),
        ]
        for name in workloads
        for peer in rows
        if (name, peer) in record.runs
    ]
    return grid(["server", "workload", *(title for _, title in COLUMNS[shown])], lines) if lines else ""


def _entry(record: Record, cell: Cell, name: str) -> str:
    value = figure(record.runs, cell, name)
    return "-" if value is None else value.text()


def _topic_match(record: Record) -> str:
    cell = (TOPIC_MATCH, "swarmwire")
    if cell not in record.runs:
        return ""
    titles = {
        "uncached_us": "a topic seen for the first time",
        "cached_us": "a topic seen before",
        "decode_us": "decoding its publish",
    }
    return grid(["", "µs"], ([title, _entry(record, cell, name)] for name, title in titles.items()))


_AGAINST: Final = (
    ("pairs batched: CPU, WebSocket = 1", "ways-pairs", _CPU, "swarmwire"),
    ("pairs unbatched: CPU, WebSocket = 1", "ways-pairs-single", _CPU, "swarmwire"),
    ("round trip: p50, WebSocket = 1", "round-trip", "p50_us", "swarmwire"),
    ("round trip: p50, C echo = 1", "round-trip", "p50_us", "echo"),
)


def _beside(record: Record) -> str:
    if not _any(record, _named(Shown.BESIDE)):
        return ""
    return against_table(record.runs, _AGAINST) + "\n\n" + _by_server(record, Shown.BESIDE)


_ODD: Final = (
    ("order_errors", 0, "messages missed, doubled or out of order, at most"),
    ("errors", 0, "errors told by the server, at most"),
    ("dead", 0, "connections lost, at most"),
    ("stalls", 0, "times nothing came for two seconds, at most"),
    ("generator_busy", 0.9, "the load generator was the limit; busy"),
)


def _oddities(record: Record) -> list[str]:
    """What makes a figure doubtful, cell by cell."""
    return [
        f"{WORKLOADS[workload].title}, {PEERS[peer].title}: {what} {number(value.high)}"
        for workload, peer in record.runs
        for name, bound, what in _ODD
        if (value := figure(record.runs, (workload, peer), name)) is not None and value.high > bound
    ]


_SECTIONS: Final = (
    ("Server CPU per delivered message, microseconds", _costs),
    ("Swarmwire's CPU per delivery divided by the others', formed inside each round", _ratios),
    ("Deliveries a second, one server core", _rates),
    ("Latency at saturation: p50 / p99 / p99.9, microseconds", _saturated_latency),
    ("Bursts, overload, moderate rates", _paced),
    ("With `id` and acks: Swarmwire's CPU per delivery, microseconds", _acks),
    ("Idle connections, and opening them", lambda record: _by_server(record, Shown.IDLE)),
    ("A tenth of the subscribers stalled", lambda record: _by_server(record, Shown.STALLED)),
    ("2000 clients reconnecting and resuming at once", lambda record: _by_server(record, Shown.RECONNECT)),
    ("Publishing flat out, each publish acknowledged", lambda record: _by_server(record, Shown.STORED)),
    ("Fan-out with and without storing", lambda record: _by_server(record, Shown.STORED_FANOUT)),
    ("Awaited publishes through the Python clients", lambda record: _by_server(record, Shown.AWAITED)),
    (
        "Calls through the Python clients, and back",
        lambda record: _by_server(record, Shown.CALLS),
    ),
    (
        "Tasks submitted, claimed and completed",
        lambda record: _by_server(record, Shown.TASKS),
    ),
    ("Resuming, and reading history", lambda record: _by_server(record, Shown.RESUMED)),
    ("A million topics", lambda record: _by_server(record, Shown.TOPICS)),
    ("Beside the WebSocket: Unix socket, FIFOs, and nats-server by TCP", _beside),
    ("Past one machine: brokers on NATS", lambda record: _by_server(record, Shown.CLUSTER)),
    ("Topic match: 100,000 wildcard patterns, ten of which match", _topic_match),
)
