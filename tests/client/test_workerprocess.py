"""The program of a pool's worker: how it finds its worker, and what it says where there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarmwire.workers.process import Unusable, load


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module `program_under_test` that can be imported once it is written."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / "program_under_test.py"
    sys.modules.pop("program_under_test", None)


def write(program: Path, text: str) -> None:
    program.write_text(f"from swarmwire import Worker\n{text}", encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("worker = Worker(id='right')", "program_under_test"),
        ("anything = Worker(id='right')", "program_under_test"),
        ("one = same = Worker(id='right')", "program_under_test"),
        ("worker = Worker(id='right')\nother = Worker(id='wrong')", "program_under_test"),
        ("worker = Worker(id='wrong')\nother = Worker(id='right')", "program_under_test:other"),
    ],
    ids=["by its name", "alone", "alone by two names", "beside another", "by an attribute"],
)
def test_the_worker_of_a_module_is_found(program: Path, text: str, target: str) -> None:
    write(program, text)
    assert load(target).id == "right"


@pytest.mark.parametrize(
    ("text", "target", "said"),
    [
        ("", "program_under_test", "found none"),
        ("a = Worker()\nb = Worker()", "program_under_test", "found a, b; name it: program_under_test:ATTRIBUTE"),
        ("a = 1", "program_under_test:a", "Expected a Worker at program_under_test:a, found int"),
        ("", "program_under_test:a", "found nothing"),
    ],
)
def test_where_there_is_no_worker_the_sentence_says_what_there_is(
    program: Path, text: str, target: str, said: str
) -> None:
    write(program, text)
    with pytest.raises(Unusable, match=said):
        load(target)


def test_what_an_import_raises_is_raised_as_it_is(program: Path) -> None:
    write(program, "1 / 0")
    with pytest.raises(ZeroDivisionError):
        load("program_under_test")
