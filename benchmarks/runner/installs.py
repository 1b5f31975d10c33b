"""How what is compared gets onto the machine: by the compiler, pip, npm, apt or go, each into the build folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from .places import BENCHMARKS, BUILD, SERVERS

__all__ = ["Apt", "Compile", "Go", "Install", "InstallFailed", "Npm", "Pip", "Present", "Several", "install"]

_VENV = BUILD / "venv"


class InstallFailed(Exception):
    """What was tried and what it said."""


@dataclass(frozen=True)
class Present:
    """Nothing to do: it comes with the project."""


@dataclass(frozen=True)
class Compile:
    """C files, by path below `benchmarks/`, into a program of this name."""

    program: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Pip:
    """Python packages, into a virtual environment of their own."""

    packages: tuple[str, ...]


@dataclass(frozen=True)
class Npm:
    """The dependencies of the package in this folder below `servers/`."""

    folder: str


@dataclass(frozen=True)
class Apt:
    """A Debian package; needs root unless the program is already there."""

    package: str
    program: str


@dataclass(frozen=True)
class Go:
    """A Go program, built from its module."""

    module: str
    program: str


@dataclass(frozen=True)
class Several:
    """All of these."""

    parts: tuple[Install, ...]


Install: TypeAlias = Present | Compile | Pip | Npm | Apt | Go | Several


def install(wanted: Install) -> None:
    """Make it available, or raise InstallFailed. What is there already is left as it is."""
    BUILD.mkdir(exist_ok=True)
    match wanted:
        case Present():
            pass
        case Compile():
            _compile(wanted)
        case Pip():
            _once(f"pip-{'-'.join(wanted.packages)}", lambda: _pip(wanted.packages))
        case Npm():
            _once(f"npm-{wanted.folder}", lambda: _npm(wanted.folder))
        case Apt():
            _apt(wanted)
        case Go():
            _go(wanted)
        case Several():
            for part in wanted.parts:
                install(part)


def _compile(wanted: Compile) -> None:
    program = BUILD / wanted.program
    sources = [BENCHMARKS / source for source in wanted.sources]
    headers = [header for folder in {source.parent for source in sources} for header in folder.glob("*.h")]
    if program.exists() and program.stat().st_mtime > max(path.stat().st_mtime for path in (*sources, *headers)):
        return
    _call("cc", "-O2", "-Wall", "-Wextra", "-o", str(program), *map(str, sources), "-lm")


def _pip(packages: tuple[str, ...]) -> None:
    if not _VENV.exists():
        _call(sys.executable, "-m", "venv", str(_VENV))
    _call(str(_VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages)


def _npm(folder: str) -> None:
    target = BUILD / folder
    shutil.copytree(SERVERS / folder, target, dirs_exist_ok=True)
    _call("npm", "install", "--no-audit", "--no-fund", "--silent", cwd=target)


def _apt(wanted: Apt) -> None:
    if shutil.which(wanted.program, path=_search_path()):
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _call("apt-get", "update", environment=environment)
    _call("apt-get", "install", "-y", "--no-install-recommends", wanted.package, environment=environment)


def _go(wanted: Go) -> None:
    target = BUILD / "go" / "bin"
    if (target / wanted.program).exists():
        return
    environment = {
        **os.environ,
        "GOBIN": str(target),
        "GOFLAGS": f"{os.environ.get('GOFLAGS', '')} -modcacherw".strip(),
    }
    _call("go", "install", wanted.module, environment=environment)


def _once(name: str, step: Callable[[], None]) -> None:
    done = BUILD / "installed" / name.replace("/", "_")
    if done.exists():
        return
    step()
    done.parent.mkdir(exist_ok=True)
    done.touch()


def _search_path() -> str:
    return os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"))


def _call(*command: str, cwd: Path | None = None, environment: dict[str, str] | None = None) -> None:
    try:
        subprocess.run(command, cwd=cwd, env=environment, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise InstallFailed(f"{command[0]} is not on this machine") from None
    except subprocess.CalledProcessError as error:
        last = (error.stderr or error.stdout).strip().splitlines()[-5:]
        raise InstallFailed(f"{' '.join(command[:4])} ... failed: {' | '.join(last)}") from None
