"""What is written of a run, from figures that were planted."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from benchmarks.runner.chart import draw
from benchmarks.runner.places import DOCUMENT
from benchmarks.runner.report import BEGIN, END, Record, between_markers, load, render, save

SVG = "{http://www.w3.org/2000/svg}"


def record(**changes: object) -> Record:
    def figures(cpu: float, **more: float | None) -> dict[str, float | None]:
        return {"cpu_us_per_delivery": cpu, "p50_us": 100.0, "p99_us": 200.0, "p999_us": None, **more}

    planted: dict[str, object] = {
        "machine": {"date": "2026-01-01", "processor": "x", "cores": "2", "system": "Linux", "python": "3.11"},
        "rounds": 2,
        "seconds": 1.5,
        "skipped": ("centrifugo",),
        "overload_rate": None,
        "failures": (),
        "runs": {
            ("pairs", "swarmwire"): [figures(2.0, order_errors=0.0), figures(4.0, order_errors=3.0)],
            ("pairs", "nats"): [figures(1.0), figures(4.0)],
            ("pairs", "socketio"): [None, None],
        },
    }
    return Record(**{**planted, **changes})  # type: ignore[arg-type]


def table(text: str, title: str) -> list[list[str]]:
    section = text.split(f"### {title}")[1].split("###")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if "---" not in row]


def test_costs_are_shown_as_medians_with_their_spread() -> None:
    assert table(render(record()), "Server CPU per delivered message") == [
        ["server", "100 pairs, batched"],
        ["Swarmwire", "3.00 (2.00-4.00)"],
        ["nats-server", "2.50 (1.00-4.00)"],
    ]


def test_ratios_are_shown_of_the_others_alone() -> None:
    assert table(render(record()), "Swarmwire's CPU per delivery divided") == [
        ["server", "100 pairs, batched"],
        ["nats-server", "1.5 (1.0-2.0)"],
    ]


def test_other_ways_are_shown_beside_the_websocket_and_round_trips_beside_the_echo() -> None:
    def rounds(*values: float) -> list[dict[str, float | None] | None]:
        return [{"cpu_us_per_delivery": 4.0, "p50_us": value} for value in values]

    runs = {
        ("ways-pairs", "swarmwire"): [{"cpu_us_per_delivery": 4.0}],
        ("ways-pairs", "swarmwire_unix"): [{"cpu_us_per_delivery": 3.0}],
        ("round-trip", "swarmwire"): rounds(200.0, 100.0),
        ("round-trip", "swarmwire_unix"): rounds(100.0, 100.0),
        ("round-trip", "echo"): rounds(50.0, 50.0),
    }
    text = render(record(runs=runs))
    [head, *rows] = table(text, "Beside the WebSocket")
    assert [title.split(":")[0] for title in head[1:]] == [
        *("pairs batched", "pairs unbatched"),
        *("round trip", "round trip"),
    ]
    assert rows[:3] == [
        ["Swarmwire", "-", "-", "-", "3.0 (2.0-4.0)"],
        ["Swarmwire, Unix socket", "0.75 (0.75-0.75)", "-", "0.75 (0.50-1.0)", "2.0 (2.0-2.0)"],
        ["C echo, Unix socket", "-", "-", "0.38 (0.25-0.50)", "-"],
    ]
    goals = {goal: reached for goal, *_, reached in table(text, "What was to be reached")[1:]}
    assert goals["pairs by Unix socket, batched: CPU against by WebSocket"] == "yes"
    assert goals["round trip by Unix socket: p50 against a C echo"] == "yes"


def test_what_was_not_measured_is_a_dash() -> None:
    [_, ours, *_] = table(render(record()), "Latency at saturation")
    assert ours == ["Swarmwire", "100 / 200 / -"]


def test_goals_are_shown_with_their_verdict() -> None:
    rows = table(render(record()), "What was to be reached")
    assert ["pairs, batched: CPU against nats", "<= 1.60", "1.5 (1.0-2.0)", "yes"] in rows


def test_what_makes_a_figure_doubtful_and_what_failed_is_told() -> None:
    text = render(record(failures=("pairs, socketio: it did not start",)))
    assert "100 pairs, batched, Swarmwire: messages missed, doubled or out of order, at most 3.00" in text
    assert "- pairs, socketio: it did not start" in text
    assert "Not here: Centrifugo." in text


def test_a_run_that_was_interrupted_says_how_far_it_got() -> None:
    assert "2 of 5 rounds" in render(record(wanted=5))
    assert "2 rounds" in render(record(wanted=2))


def test_a_run_is_read_back_as_it_was_kept(tmp_path: Path) -> None:
    save(record(), tmp_path / "run.json")
    assert load(tmp_path / "run.json") == record()


def test_the_text_between_the_markers_is_replaced_and_nothing_else() -> None:
    document = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert between_markers(document, "new") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"


def test_a_document_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="needs the lines"):
        between_markers("nothing here", "new")


def test_the_document_of_the_project_has_the_markers() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert "planted" in between_markers(document, "planted")


def test_bars_are_as_long_as_their_figures_are_large() -> None:
    drawn = ElementTree.fromstring(draw(record().runs))
    background, *bars = drawn.findall(f"{SVG}rect")
    labels = [text.text for text in drawn.findall(f"{SVG}text")]
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert len(bars) == 2
    assert widths == sorted(widths)
    assert labels.index("nats-server") < labels.index("Swarmwire")
    assert max(widths) < float(background.attrib["width"])


def test_a_chart_of_nothing_has_no_bars() -> None:
    assert len(re.findall("<rect", draw({}))) == 1
