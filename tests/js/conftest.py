"""What the tests of the JavaScript SDK need beside Python: Node, the packages of its lock file, and a browser."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final, NoReturn

import pytest

from ..dashboard.pages import browser_path
from ..pages import ROOT

SDK: Final = ROOT / "client" / "js"


@pytest.fixture(scope="session")
def node() -> str:
    """Where Node is, with the packages that the tests need."""
    found = shutil.which("node")
    if found is None:
        _missing("Node is not on the PATH")
    installed, lock = SDK / "node_modules" / ".package-lock.json", SDK / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        _missing("the packages of client/js are missing or older than its lock file: `tests/tools packages`")
    return found


@pytest.fixture(scope="session")
def sdk() -> Path:
    """The directory of the SDK."""
    return SDK


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is."""
    found = browser_path()
    if found is None:
        _missing("Chromium is not on the PATH: `tests/tools browser` installs it")
    return found


def _missing(what: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
