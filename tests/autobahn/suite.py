"""Run the Autobahn test suite against an echo on the broker's own WebSocket path; `make test-autobahn` calls this.

The suite runs on Python 2.7 only. One is looked for as `$PYTHON2`, as `python2.7` on the path, and among pyenv's; the
suite is installed where the peers of the bench are. `--write` puts the result into docs/conformance.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

__all__ = ["Outcome", "SuiteFailed", "between_markers", "judge", "main", "report"]

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
BUILD: Final = ROOT / "benchmarks" / ".build" / "autobahn"
DOCUMENT: Final = ROOT / "docs" / "conformance.md"
BEGIN: Final = "<!-- autobahn: begin (written by `make test-autobahn WRITE=1`) -->"
END: Final = "<!-- autobahn: end -->"

_SUITE: Final = "autobahntestsuite==25.10.1"
_AGENT: Final = "swarmwire"
_TIMEOUT: Final = 1_800
_VERSION: Final = "import sys; sys.stdout.write('%d.%d' % sys.version_info[:2])"

PASSED: Final = ("OK", "NON-STRICT", "INFORMATIONAL")
_CLOSED_WELL: Final = ("OK", "INFORMATIONAL")

RUNS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "framing, control frames, fragments, UTF-8, closing (1 to 7, 10)": (("*",), ("9.*", "12.*", "13.*")),
    "large messages and many of them (9)": (("9.*",), ()),
}
"""What is run, by title: the cases, and which of them are left out."""

Verdicts = Mapping[str, Mapping[str, str]]
"""What the suite says of each case: `behavior` and `behaviorClose`."""


class SuiteFailed(Exception):
    """The suite could not be run, with a sentence that says why."""


@dataclass(frozen=True)
class Outcome:
    """What came of one run: how many cases of each kind, which were not strict, and which failed."""

    title: str
    counts: Mapping[str, int]
    not_strict: tuple[str, ...]
    failed: tuple[str, ...]


def main(arguments: Sequence[str]) -> int:
    """Run it all; 0 where no case failed, 1 where one did, 2 where nothing could be run."""
    try:
        wstest = _install(_python2())
        with _echo() as port:
            outcomes = [judge(title, _run(wstest, port, *cases)) for title, cases in RUNS.items()]
    except SuiteFailed as failure:
        print(f"autobahn: {failure}", file=sys.stderr)
        return 2
    text = report(outcomes, datetime.now(UTC).strftime("%Y-%m-%d"))
    print(text)
    if "--write" in arguments:
        DOCUMENT.write_text(between_markers(DOCUMENT.read_text(encoding="utf-8"), text), encoding="utf-8")
    return 1 if any(outcome.failed for outcome in outcomes) else 0


# ---- the suite


def _python2() -> str:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    known = [os.environ.get("PYTHON2", ""), "python2.7", *map(str, sorted(pyenv.glob("2.7*/bin/python2.7")))]
    for candidate in filter(None, known):
        try:
            done = subprocess.run([candidate, "-c", _VERSION], capture_output=True, text=True)
        except OSError:
            continue
        if done.stdout == "2.7":
            return candidate
    raise SuiteFailed(
        "the Autobahn suite needs Python 2.7, and none was found: name one with PYTHON2=/path/to/python2.7, "
        "or install one (`pyenv install 2.7.18`)"
    )


def _install(python2: str) -> Path:
    """The suite's program, in an environment of its own."""
    wstest = BUILD / "venv" / "bin" / "wstest"
    if not wstest.exists():
        tools = BUILD / "tools"
        _call(python2, "-m", "pip", "install", "--quiet", "--target", str(tools), "virtualenv<20.16")
        inside = {"PYTHONPATH": str(tools)}
        _call(python2, "-m", "virtualenv", "--no-download", str(BUILD / "venv"), environment=inside)
        _call(str(BUILD / "venv" / "bin" / "pip"), "install", "--quiet", "setuptools==44.0.0", _SUITE)
    return wstest


def _call(*command: str, environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, env={**os.environ, **(environment or {})}, capture_output=True, text=True)
    if done.returncode != 0:
        last = " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise SuiteFailed(f"{' '.join(command[:4])} ... failed: {last}")


def _run(wstest: Path, port: int, cases: Sequence[str], left_out: Sequence[str]) -> Verdicts:
    folder = BUILD / "report"
    spec = {
        "outdir": str(folder),
        "servers": [{"agent": _AGENT, "url": f"ws://127.0.0.1:{port}"}],
        "cases": list(cases),
        "exclude-cases": list(left_out),
        "exclude-agent-cases": {},
    }
    (BUILD / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    index = folder / "index.json"
    index.unlink(missing_ok=True)
    with (BUILD / "wstest.log").open("wb") as log:
        command = [str(wstest), "-m", "fuzzingclient", "-s", str(BUILD / "spec.json")]
        subprocess.run(command, cwd=BUILD, stdout=log, stderr=log, timeout=_TIMEOUT)
    if not index.exists():
        raise SuiteFailed(f"the suite wrote no report; {BUILD / 'wstest.log'} says why")
    verdicts: Verdicts = json.loads(index.read_text(encoding="utf-8"))[_AGENT]
    return verdicts


@contextmanager
def _echo() -> Iterator[int]:
    """The port of a running echo."""
    with (BUILD / "echo.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "echo.py")], stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SuiteFailed(f"the echo did not start; {BUILD / 'echo.log'} says why")
        yield int(line)
    finally:
        process.terminate()
        process.communicate()


# ---- what it said


def judge(title: str, verdicts: Verdicts) -> Outcome:
    """Sort what the suite says. A case fails by its behaviour, or by how the connection ended."""
    failed = [
        case
        for case, verdict in verdicts.items()
        if verdict["behavior"] not in PASSED or verdict["behaviorClose"] not in _CLOSED_WELL
    ]
    counts = Counter(verdict["behavior"] for case, verdict in verdicts.items() if case not in failed)
    not_strict = [case for case, verdict in verdicts.items() if verdict["behavior"] == "NON-STRICT"]
    return Outcome(title, counts, tuple(sorted(not_strict)), tuple(sorted(failed)))


def report(outcomes: Sequence[Outcome], date: str) -> str:
    """The outcomes as Markdown."""
    rows = [
        " | ".join((f"| {each.title}", *(str(each.counts.get(kind, 0)) for kind in PASSED), f"{len(each.failed)} |"))
        for each in outcomes
    ]
    lines = [
        f"{date}, `{_SUITE}`:",
        "",
        "| cases | OK | non-strict | informational | failed |",
        "| --- | --- | --- | --- | --- |",
        *rows,
    ]
    for title, cases in (
        ("Non-strict", [case for outcome in outcomes for case in outcome.not_strict]),
        ("Failed", [case for outcome in outcomes for case in outcome.failed]),
    ):
        if cases:
            lines += ["", f"{title}: {', '.join(cases)}."]
    return "\n".join(lines)


def between_markers(document: str, text: str) -> str:
    """The document with the text between its markers; ValueError where they are missing."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document needs the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
