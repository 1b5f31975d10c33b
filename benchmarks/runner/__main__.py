"""The command behind `make bench`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from .credentials import write_credentials
from .generator import Times
from .installs import InstallFailed, install
from .machine import describe
from .peers import LOADGEN, PEERS
from .places import CHART, DOCUMENT, KEPT, RESULTS, ROOT
from .processes import alone
from .report import Record, between_markers, load, render, save, write_chart
from .rounds import TOPIC_MATCH, Plan, plan_seconds, run_rounds
from .workloads import WORKLOADS

__all__ = ["main", "plan_of"]

_QUICK: Final = Times(warmup=0.2, measured=0.5, most=1.5)
_FULL: Final = Times(warmup=0.3, measured=1.0)
_QUICK_PEERS: Final = (
    "swarmwire",
    "swarmwire_unix",
    "swarmwire_stored",
    "coalesce",
    "direct",
    "echo",
    "nats",
    "nats_tcp",
    "centrifugo",
    "mosquitto",
    "socketio",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the bench, or write the report of one that was kept."""
    options = _parser().parse_args(argv)
    try:
        if options.report:
            kept = load(options.report)
            if options.show:
                print(render(kept))
            else:
                _publish(kept)
            return 0
        return _run(options)
    except (InstallFailed, ValueError) as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "bench: interrupted; every server that was started is ended. "
            f"The rounds that were done are kept: --report {KEPT.relative_to(ROOT)} --show",
            file=sys.stderr,
        )
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two short rounds of the key workloads")
    parser.add_argument("--skip", type=_names, default=(), metavar="A,B", help="servers to leave out")
    parser.add_argument("--only", type=_names, default=(), metavar="A,B", help="just these servers and workloads")
    parser.add_argument("--rounds", type=int, help="how many rounds; the document stays as it is")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the document from a run that was kept")
    parser.add_argument("--show", action="store_true", help="only print what --report would write")
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def plan_of(quick: bool, skip: Sequence[str], only: Sequence[str], rounds: int | None = None) -> Plan:
    """What to run; ValueError for a name that is neither of a server nor of a workload."""
    everything = (*WORKLOADS, TOPIC_MATCH)
    _check(skip, PEERS)
    _check(only, [*PEERS, *everything])
    peers = [name for name in only if name in PEERS] or (list(_QUICK_PEERS) if quick else list(PEERS))
    workloads = [name for name in everything if name in only] or [
        name for name in everything if not quick or (name in WORKLOADS and WORKLOADS[name].quick)
    ]
    return Plan(
        peers=tuple(name for name in PEERS if name in peers and name not in skip),
        workloads=tuple(workloads),
        rounds=rounds if rounds is not None else 2 if quick else 5,
        times=_QUICK if quick else _FULL,
    )


def _check(names: Sequence[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{name!r} is not known; there are {', '.join(known)}")


def _run(options: argparse.Namespace) -> int:
    plan = plan_of(options.quick, options.skip, options.only, options.rounds)
    _prepare(plan)
    machine = describe(plan.peers)
    _say(f"{plan.rounds} rounds, about {plan_seconds(plan) / 60:.0f} minutes")
    with alone():
        results = run_rounds(
            plan, _say, keep=lambda results: save(Record.of(plan, results, machine, options.skip), KEPT)
        )
    record = Record.of(plan, results, machine, options.skip)
    print("\n" + render(record))
    if not (options.quick or options.only or options.rounds):
        save(record, RESULTS)
        _publish(record)
    return 1 if results.failures else 0


def _prepare(plan: Plan) -> None:
    install(LOADGEN)
    for name in plan.peers:
        _say(f"preparing {PEERS[name].title}")
        try:
            install(PEERS[name].install)
        except InstallFailed as failure:
            raise InstallFailed(
                f"{PEERS[name].title} cannot be had ({failure}); SKIP={name} goes on without it"
            ) from None
    write_credentials()


def _publish(record: Record) -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(between_markers(document, render(record)), encoding="utf-8")
    write_chart(record, CHART)
    _say(f"written: {DOCUMENT.name}, {CHART.name}")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
