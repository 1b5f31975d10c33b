"""One run of the load generator against one server."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TypeAlias

from .credentials import TOKENS
from .peers import Dialect
from .places import BUILD
from .processes import GENERATOR_CORE, Running, pinned
from .workloads import Workload

__all__ = ["Figures", "GeneratorFailed", "Times", "arguments", "generate"]

Figures: TypeAlias = dict[str, float | None]
"""What the load generator reports, by name; None was not measured. See its README."""

_TOPIC = ("bench", "t%06d")
_WILDCARD_TOPIC = ("bench", *"abcdefgh")
_PATTERNS = 200
_RUN_TIMEOUT = 180


class GeneratorFailed(Exception):
    """A run without a result, with what the load generator said."""


@dataclass(frozen=True)
class Times:
    """Seconds before measuring and measured, the latter where a workload has no time of its own; `most` cuts that."""

    warmup: float
    measured: float
    most: float | None = None

    def of(self, workload: Workload) -> float:
        """The seconds measured of a workload."""
        wanted = self.measured if workload.seconds is None else workload.seconds
        return wanted if self.most is None else min(wanted, self.most)


def generate(server: Running, workload: Workload, times: Times, rate: float | None = None) -> Figures:
    """Run a workload; `rate` in messages a second stands in for the workload's own."""
    command = [str(BUILD / "loadgen"), "--port", str(server.port), "--pid", str(server.pid)]
    command += ["--tokens", str(TOKENS)]
    command += arguments(server.peer.dialect, workload, times)
    if rate is not None:
        command += ["--rate", f"{rate:.0f}"]
    try:
        done = subprocess.run(
            pinned(GENERATOR_CORE, command), capture_output=True, text=True, errors="replace", timeout=_RUN_TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise GeneratorFailed(f"no result after {_RUN_TIMEOUT} s") from None
    if done.returncode != 0 or not done.stdout:
        raise GeneratorFailed(done.stderr.strip()[-500:] or f"ended with {done.returncode}")
    figures = {name: value for name, value in json.loads(done.stdout).items() if name != "name"}
    return {name: None if value is None else float(value) for name, value in figures.items()}


def arguments(dialect: Dialect, workload: Workload, times: Times) -> list[str]:
    """The command line for a workload in the words of one server. What a workload says comes last and wins."""
    topic = _WILDCARD_TOPIC if workload.wildcards else _TOPIC
    frame, awaited = dialect.subscribe
    publish = dialect.publish_with_ack if workload.acks and dialect.publish_with_ack else dialect.publish
    if workload.wildcards:
        frame = frame.replace("{topic}", "{pattern}").replace("{topic16}", "{pattern16}")
    return [
        *dialect.options,
        *("--topic-format", dialect.separator.join(topic)),
        *("--subscribe-frame", frame, "--subscribe-wait", awaited, "--publish", publish),
        *(("--patterns", str(_PATTERNS), "--star", dialect.star) if workload.wildcards and dialect.star else ()),
        *(_resuming(dialect) if workload.resumes else ()),
        *("--warmup", f"{times.warmup:g}", "--duration", f"{times.of(workload):g}"),
        *workload.options,
    ]


def _resuming(dialect: Dialect) -> tuple[str, ...]:
    if dialect.resume is None:
        return ()
    return ("--resume-frame", dialect.resume, "--seq-key", '"seq":', "--cursor-key", '"cursor":"')
