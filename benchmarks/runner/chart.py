"""The chart: bars of CPU per delivered message on a logarithmic scale, as plain SVG for light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from .peers import PEERS, Kind
from .spreads import Runs, figure, number
from .workloads import WORKLOADS

__all__ = ["CHARTED", "draw"]

CHARTED: Final = ("fanout-1000", "fanout-1000-single", "pairs", "pairs-single")

_LIGHT: Final = """\
text { fill: #1f2937 } .note { fill: #6b7280 } .page { fill: #ffffff }
.ours { fill: #2563eb } .yardstick { fill: #b6bcc6 } .peer { fill: #64748b } .naive { fill: #94a3b8 }"""
_DARK: Final = """\
text { fill: #e6edf3 } .note { fill: #9198a1 } .page { fill: #0d1117 }
.ours { fill: #4c8dff } .yardstick { fill: #4b5563 } .peer { fill: #8b98ab } .naive { fill: #66758a }"""
_WIDTH: Final = 860
_LABELS: Final = 240
_VALUES: Final = 70
_BAR: Final = 15
_ROW: Final = 20
_TITLE: Final = 38
_TOP: Final = 46


def draw(runs: Runs, workloads: Sequence[str] = CHARTED) -> str:
    """The chart of the workloads of which there is a result. A bar ends at the median of the rounds."""
    panels = [(name, _bars(runs, name)) for name in workloads]
    body, y = [], _TOP
    for name, bars in panels:
        if bars:
            body.append(_panel(name, bars, y))
            y += _TITLE + _ROW * len(bars)
    return "\n".join([*_frame(y + 10), *body, "</svg>", ""])


def _bars(runs: Runs, workload: str) -> list[tuple[str, float]]:
    found = ((peer, figure(runs, (workload, peer), "cpu_us_per_delivery")) for peer in PEERS)
    bars = [(peer, value.median) for peer, value in found if value is not None and value.median > 0]
    return sorted(bars, key=lambda bar: bar[1])


def _frame(height: int) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="13" role="img">'
    )
    yield "<title>Server CPU per delivered message</title>"
    yield f"<style>\n{_LIGHT}\n@media (prefers-color-scheme: dark) {{\n{_DARK}\n}}\n</style>"
    yield f'<rect class="page" width="{_WIDTH}" height="{height}"/>'
    yield '<text x="16" y="26" font-size="16" font-weight="600">Server CPU per delivered message, microseconds</text>'
    yield (
        f'<text class="note" x="{_WIDTH - 16}" y="26" text-anchor="end">'
        "less is better; logarithmic, a scale for each group</text>"
    )


def _panel(workload: str, bars: Sequence[tuple[str, float]], y: int) -> str:
    least, most = min(value for _, value in bars) / 2, max(value for _, value in bars)
    lines = [f'<text x="16" y="{y + 24}" font-weight="600">{escape(WORKLOADS[workload].title)}</text>']
    for place, (peer, value) in enumerate(bars):
        share = math.log(value / least) / math.log(most / least)
        lines.append(_bar(peer, value, share * (_WIDTH - _LABELS - _VALUES), y + _TITLE - 6 + place * _ROW))
    return "\n".join(lines)


def _bar(peer: str, value: float, width: float, y: int) -> str:
    kind, title = PEERS[peer].kind, escape(PEERS[peer].title)
    weight = "600" if kind is Kind.OURS else "400"
    return (
        f'<text x="{_LABELS - 8}" y="{y + 12}" text-anchor="end" font-weight="{weight}">{title}</text>'
        f'<rect class="{kind.value}" x="{_LABELS}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="2"/>'
        f'<text x="{_LABELS + width + 6:.1f}" y="{y + 12}" font-weight="{weight}">{number(value, 2)}</text>'
    )
