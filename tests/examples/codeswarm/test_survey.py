"""What is found in a file."""

import warnings

import pytest
from examples.codeswarm.files import Unreadable
from examples.codeswarm.survey import LONGEST, Findings, Function, Survey
from hypothesis import given
from hypothesis import strategies as st

SOURCE = '''"""Two functions, one within a class."""

import os


def short(): pass


class Outer:
    class Inner:
        async def long(self):
            def nested():
                return 1

            return nested
'''


def findings_of(source: str) -> Findings:
    survey = Survey(source)
    for _ in survey.steps():
        pass
    return survey.findings()


def test_functions_and_classes_are_counted_wherever_they_stand() -> None:
    found = findings_of(SOURCE)
    assert (found.lines, found.functions, found.classes) == (15, 3, 2)


def test_the_longest_functions_come_first_with_the_names_they_stand_in() -> None:
    assert findings_of(SOURCE).longest == (
        Function("Outer.Inner.long", 11, 5),
        Function("Outer.Inner.long.nested", 12, 2),
        Function("short", 6, 1),
    )


def test_of_equally_long_functions_the_first_is_named_first() -> None:
    assert [it.name for it in findings_of("def b(): 1\ndef a(): 2\n").longest] == ["b", "a"]


def test_no_more_functions_are_named_than_promised() -> None:
    found = findings_of("".join(f"def f{n}(): pass\n" for n in range(LONGEST + 5)))
    assert found.functions == LONGEST + 5
    assert len(found.longest) == LONGEST


def test_a_file_without_anything_is_surveyed_too() -> None:
    assert findings_of("") == Findings(0, 0, 0)


@pytest.mark.parametrize(("source", "lines"), [("x", 1), ("x\n", 1), ("x\n\n", 2), ("x = '\x0c'\n", 1)])
def test_lines_end_at_line_feeds(source: str, lines: int) -> None:
    assert Survey(source).lines == lines


@given(st.lists(st.sampled_from(["x = 1\n", "\n", "def f():\n    pass\n", "class C: pass\n"])))
def test_progress_rises_to_the_end_of_the_last_statement(parts: list[str]) -> None:
    survey = Survey("".join(parts))
    steps = list(survey.steps())
    assert steps == sorted(steps)
    assert all(0 < step <= 100 for step in steps)
    assert len(steps) == len([part for part in parts if part != "\n"])


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("x = 1\ndef broken(:\n", "line 2: "),
        ("a\0", "null bytes"),
        ("(" * 1000 + ")" * 1000, "too many nested parentheses"),
        ("-" * 100_000 + "1", "."),
    ],
)
def test_what_is_not_python_is_unreadable_and_the_reason_is_given(source: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        Survey(source)


def test_warnings_about_the_code_that_is_read_are_not_ours() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert findings_of("x = '\\d'\n").lines == 1
