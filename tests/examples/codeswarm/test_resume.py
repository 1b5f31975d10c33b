"""The memory of a run in a file."""

from pathlib import Path

import pytest
from examples.codeswarm.resume import Memory, forget, recall, remember

MEMORY = Memory(run="r1", directory="/src", cursor="e:5")


def test_what_is_remembered_is_recalled_until_it_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    assert recall(file, "/src") is None
    remember(file, MEMORY)
    remember(file, MEMORY)
    assert recall(file, "/src") == MEMORY
    assert list(tmp_path.iterdir()) == [file]
    forget(file)
    forget(file)
    assert recall(file, "/src") is None


def test_the_run_of_another_directory_is_not_gone_on_with(tmp_path: Path) -> None:
    remember(tmp_path / "run.json", MEMORY)
    with pytest.raises(ValueError, match="holds a run of /src, not of /other"):
        recall(tmp_path / "run.json", "/other")


@pytest.mark.parametrize("content", ["", "{}", "[1]", "no JSON"])
def test_a_file_that_holds_something_else_is_an_error(tmp_path: Path, content: str) -> None:
    file = tmp_path / "run.json"
    file.write_text(content)
    with pytest.raises(ValueError, match="does not hold a run"):
        recall(file, "/src")
