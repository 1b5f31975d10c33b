"""The page of examples: it lists them all, each can be started and has its tests, and what it shows runs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .program import EXAMPLES, finished

ROOT = EXAMPLES.parent
PAGE = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
LISTED = re.findall(r"\]\(\.\./examples/(\w+)\.py\)", PAGE)
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))


def test_the_page_lists_every_example_once() -> None:
    assert sorted(LISTED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_example_says_how_to_start_it_and_has_tests(name: str) -> None:
    words = ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text(encoding="utf-8")))
    assert words is not None
    assert f"python examples/{name}.py" in words
    assert (ROOT / "tests" / "examples" / f"test_{name}.py").is_file()


@pytest.mark.parametrize("name", NAMES)
async def test_an_example_explains_itself_when_asked(name: str) -> None:
    code, lines = await finished(name, "--help")
    assert code == 0
    assert any("usage" in line.lower() for line in lines)


def test_the_test_on_the_page_passes(tmp_path: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "test_it.py").write_text(block, encoding="utf-8")
    options = ("-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto")
    run = subprocess.run(
        (sys.executable, "-m", "pytest", *options), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout
    assert "1 passed" in run.stdout
