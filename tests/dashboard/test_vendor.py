"""The libraries of others are those that their page names, unchanged, each with its licence."""

import hashlib
import re
from pathlib import Path

VENDOR = Path(__file__).parents[2] / "broker" / "dashboard" / "vendor"
PAGE = (VENDOR / "README.md").read_text(encoding="utf-8")
HASHES = dict(re.findall(r"^\| `([^`]+)` \| `([0-9a-f]{64})` \|$", PAGE, flags=re.MULTILINE))
LIBRARIES = re.findall(r"^\| [\w-]+ \| [\d.]+ \|.*\[(\w[\w-]*/LICENSE)\]", PAGE, flags=re.MULTILINE)


def test_every_file_is_named_with_its_hash() -> None:
    found = {
        path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "README.md"
    }
    assert found == HASHES


def test_every_library_has_its_licence_beside_it() -> None:
    directories = {path.name for path in VENDOR.iterdir() if path.is_dir()}
    assert {Path(licence).parent.name for licence in LIBRARIES} == directories
    assert all("Copyright" in (VENDOR / licence).read_text(encoding="utf-8") for licence in LIBRARIES)
