"""Runs until time is up, each with a seed of its own: `python -m tests.history.soak --minutes 10 --seed 1`."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ..nats.otherversion import OTHER
from ..nats.servers import Version
from .checker import check
from .faults import FAULTS
from .history import save
from .holding import workload as holding
from .holding.checker import check as judge
from .holding.records import Got
from .records import Acked, Record, Seen
from .workload import Plan, run

__all__ = ["main", "plan_of"]

SHOWN = 10


def plan_of(seed: int, engines: Sequence[str], *, seconds: float) -> Plan:
    """The run of a seed: with all faults or without kills, with a log that holds everything or that evicts."""
    draw = random.Random(f"plan {seed}")
    engine = engines[seed % len(engines)]
    if engine == "nats":
        return _cluster_of(seed, draw, seconds=seconds)
    gentle = tuple(name for name in FAULTS if name != "kill")
    return Plan(
        seed=seed,
        engine=engine,
        seconds=seconds,
        faults=draw.choice((tuple(FAULTS), gentle, ("cut", "reset"), ("kill",))),
        log_events=draw.choice((1_000_000, 1_000_000, 300)),
        rate=draw.choice((30.0, 60.0, 120.0)),
    )


def _cluster_of(seed: int, draw: random.Random, *, seconds: float) -> Plan:
    """The same for brokers over one nats-server or three."""
    nodes, version = draw.choice(((1, Version.OLD), (1, Version.NEWEST), (3, Version.OLD), *[(3, Version.NEWEST)] * 4))
    servers: tuple[str, ...] = ("kill-server", "pause-server") if nodes == 1 else ("kill-leader", "kill-follower")
    if nodes == 3 and version is Version.NEWEST:
        servers += ("cut-leader",)  # replicas of 2.9 may hold different things for good after it
    brokers = ("kill", "kill-two", "pause", "freeze")
    faults = (brokers, servers, (*brokers, *servers), (*servers, *FAULTS), ("rolling", "cut"), ("remake", *brokers))
    return Plan(
        seed=seed,
        engine="nats",
        seconds=seconds,
        faults=draw.choice(faults),
        log_events=draw.choice((1_000_000, 1_000_000, 300)),
        rate=draw.choice((30.0, 60.0, 120.0)),
        narrow=draw.random() < 0.5,
        brokers=draw.choice((2, 3)),
        nodes=nodes,
        version=version,
        programs=(None, *draw.choice(((), (OTHER,)))),
    )


def main(arguments: Sequence[str]) -> int:
    """Soak; returns the exit code: 0 if all promises were kept, 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m tests.history.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long to go on")
    parser.add_argument("--seed", type=int, default=None, help="the seed of the first run (default: by chance)")
    parser.add_argument("--engine", action="append", choices=["memory", "sqlite", "nats"], help="only this engine")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long things go wrong in each run")
    parser.add_argument("--keep", type=Path, default=Path("soak-histories"), help="where failed histories go")
    options = parser.parse_args(arguments)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    engines = options.engine or ["memory", "sqlite"]
    until = time.monotonic() + options.minutes * 60
    failed = 0
    while time.monotonic() < until:
        failed += not _one(plan_of(seed, engines, seconds=options.seconds), options.keep)
        failed += not _holding(seed, engines, options.seconds, options.keep)
        seed += 1
    _say(f"{failed} runs failed" if failed else "all promises were kept")
    return 1 if failed else 0


def _one(plan: Plan, keep: Path) -> bool:
    """One run; whether it was good. Otherwise its history is kept."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="swarmwire-soak-") as directory:
        records = asyncio.run(run(plan, Path(directory)))
    took = time.monotonic() - began
    violations = check(records)
    _say(f"seed {plan.seed} ({plan.engine}, {', '.join(plan.faults)}): {_summary(records)} in {took:.0f} s")
    if not violations:
        return True
    keep.mkdir(parents=True, exist_ok=True)
    path = keep / f"history-{plan.engine}-{plan.seed}.jsonl"
    save(records, path)
    for violation in violations[:SHOWN]:
        _say(f"  {violation}")
    _say(f"  {len(violations)} violations; check it again with: python -m tests.history.check {path}")
    return False


def _holding(seed: int, engines: Sequence[str], seconds: float, keep: Path) -> bool:
    """The same of a run of workers, who hold tasks and locks."""
    engine, draw = engines[seed % len(engines)], random.Random(f"holding {seed}")
    plan = holding.Plan(
        seed=seed,
        engine=engine,
        seconds=seconds,
        faults=holding.GENTLE if engine == "memory" else holding.FAULTS,
        brokers=draw.choice((2, 3)),
        nodes=draw.choice((1, 3)),
        version=draw.choice(tuple(Version)),
    )
    with tempfile.TemporaryDirectory(prefix="swarmwire-soak-") as directory:
        notes = asyncio.run(holding.run(plan, Path(directory)))
    violations = judge(notes)
    _say(f"seed {seed} ({engine}): {sum(isinstance(note, Got) for note in notes)} holdings of tasks and locks")
    if violations:
        keep.mkdir(parents=True, exist_ok=True)
        path = keep / f"holdings-{engine}-{seed}.jsonl"
        path.write_bytes(
            b"".join(msgspec.json.encode(note) + b"\n" for note in sorted(notes, key=lambda note: note.at))
        )
        _say("".join(f"  {violation}\n" for violation in violations[:SHOWN]) + f"  all that happened is in {path}")
    return not violations


def _summary(records: Sequence[Record]) -> str:
    acked = sum(isinstance(record, Acked) for record in records)
    seen = sum(isinstance(record, Seen) for record in records)
    return f"{acked} acknowledged, {seen} delivered"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
