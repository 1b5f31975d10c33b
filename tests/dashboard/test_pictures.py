"""The pictures of the dashboard: those that pages show are there, small enough for a repository, and no others."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from ..screenshots.__main__ import SHOTS, Shot

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "images"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
LARGEST_BYTES = 300_000


def shown(page: Path) -> set[Path]:
    """The pictures below docs/images that a page shows."""
    targets = re.findall(r"!\[[^\]]*\]\(([^)#?]+)\)|<img[^>]*src=\"([^\"]+)\"", page.read_text(encoding="utf-8"))
    paths = {(page.parent / (markdown or html)).resolve() for markdown, html in targets}
    return {path for path in paths if path.parent == PICTURES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_picture_of_a_page_exists(page: Path) -> None:
    assert [path.name for path in shown(page) if not path.is_file()] == []


def test_the_readme_shows_the_dashboard() -> None:
    assert shown(ROOT / "README.md")


def test_every_picture_that_is_taken_is_shown_and_no_other_is_kept() -> None:
    taken = {f"{shot.name}.png" for shot in SHOTS}
    assert {path.name for path in PICTURES.iterdir()} == taken
    assert {path.name for page in PAGES for path in shown(page)} == taken


@pytest.mark.parametrize("shot", SHOTS, ids=lambda shot: shot.name)
def test_a_picture_has_its_size_and_is_small(shot: Shot) -> None:
    path = PICTURES / f"{shot.name}.png"
    head = path.read_bytes()
    assert struct.unpack("!II", head[16:24]) == shot.size
    assert len(head) <= LARGEST_BYTES
