"""One run of the load generator against one server."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TypeAlias

from .credentials import TOKENS
from .dialects import Dialect
from .peers import FIFOS, SOCKET, Way
from .places import BUILD, ROOT
from .processes import GENERATOR_CORE, Running, pinned, words
from .workloads import Workload

__all__ = ["Figures", "GeneratorFailed", "Times", "arguments", "generate"]

Figures: TypeAlias = dict[str, float | None]
"""What the load generator reports, by name; None was not measured. See its README."""

_TOPIC = ("bench", "t%06d")
_WILDCARD_TOPIC = ("bench", *"abcdefgh")
_PATTERNS = 200
_RUN_TIMEOUT = 300


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
    program = workload.program
    command = [str(BUILD / "loadgen")] if program is None else words(server.peer.programs[program])
    command += [*_where(server), "--tokens", str(TOKENS)]
    command += _measuring(server, workload, times) if program is None else _plainly(server, workload, times)
    if rate is not None:
        command += ["--rate", f"{rate:.0f}"]
    try:
        done = subprocess.run(
            pinned(GENERATOR_CORE, command),
            cwd=ROOT,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_RUN_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise GeneratorFailed(f"no result after {_RUN_TIMEOUT} s") from None
    if done.returncode != 0 or not done.stdout:
        raise GeneratorFailed(done.stderr.strip()[-500:] or f"ended with {done.returncode}")
    figures = {name: value for name, value in json.loads(done.stdout).items() if name != "name"}
    return {name: None if value is None else float(value) for name, value in figures.items()}


def _where(server: Running) -> tuple[str, ...]:
    match server.peer.way:
        case Way.TCP:
            return tuple(part for port in server.ports for part in ("--port", str(port)))
        case Way.UNIX:
            return "--unix", str(server.runtime / SOCKET)
        case Way.FIFO:
            return "--fifos", str(server.runtime / FIFOS)


def arguments(dialect: Dialect, workload: Workload, times: Times) -> list[str]:
    """The command line for a workload in the words of one server. What a workload says comes last and wins."""
    topic = _WILDCARD_TOPIC if workload.wildcards else _TOPIC
    frame, awaited = dialect.subscribe
    if workload.wildcards:
        frame = frame.replace("{topic}", "{pattern}").replace("{topic16}", "{pattern16}")
    if workload.pattern:
        frame = frame.replace("{topic}", workload.pattern)
    return [
        *dialect.options,
        *("--topic-format", dialect.separator.join(topic)),
        *("--subscribe-frame", frame, "--subscribe-wait", awaited),
        *_publishing(dialect, workload),
        *(("--patterns", str(_PATTERNS), "--star", dialect.star) if workload.wildcards and dialect.star else ()),
        *(_resuming(dialect, workload) if workload.resumes else ()),
        *(_probing(dialect) if workload.probes else ()),
        *_times(workload, times),
        *workload.options,
    ]


def _measuring(server: Running, workload: Workload, times: Times) -> list[str]:
    """What of the server is measured, and the workload in its words."""
    processes = [part for pid in server.pids for part in ("--pid", str(pid))]
    return [*processes, *arguments(server.peer.dialect, workload, times)]


def _plainly(server: Running, workload: Workload, times: Times) -> list[str]:
    """The same for a program that knows its server, which is one process."""
    return ["--pid", str(server.pid), *_times(workload, times), *workload.options]


def _times(workload: Workload, times: Times) -> list[str]:
    return ["--warmup", f"{times.warmup:g}", "--duration", f"{times.of(workload):g}"]


def _publishing(dialect: Dialect, workload: Workload) -> tuple[str, ...]:
    publish, answers = dialect.publish, tuple[str, ...]()
    if workload.acks and dialect.publish_with_ack and dialect.answer:
        publish, answers = dialect.publish_with_ack, ("--answers", dialect.answer)
    return ("--publish", publish.replace("{topic}", workload.topic) if workload.topic else publish, *answers)


def _resuming(dialect: Dialect, workload: Workload) -> tuple[str, ...]:
    if dialect.resume is None:
        return ()
    frame = dialect.resume.replace("{topic}", workload.pattern) if workload.pattern else dialect.resume
    return ("--resume-frame", frame, "--seq-key", '"seq":', "--cursor-key", '"cursor":"')


def _probing(dialect: Dialect) -> tuple[str, ...]:
    return ("--probe-frame", dialect.probe[0], "--probe-wait", dialect.probe[1]) if dialect.probe else ()
