"""The wheel, installed without extras: the client alone."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

from .processes import clean_environment

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PACKAGES = {"swarmwire", "swarmwire_broker", "swarmwire_channels", "swarmwire_protocol"}
SERVER_LIBRARIES = [
    *("uvicorn", "starlette", "httptools", "uvloop", "jwt", "cryptography"),
    *("prometheus_client", "structlog", "typer", "rich"),
]


class Installed(NamedTuple):
    """A wheel, and the directory of commands of an environment that holds nothing but it and what it needs."""

    wheel: Path
    commands: Path

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = str(self.commands / command)
        return subprocess.run(
            [path, *arguments], capture_output=True, text=True, check=False, timeout=60, cwd=self.commands
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    place = tmp_path_factory.mktemp("install")
    # In Python alone: to compile takes a minute, and what a client runs does not need it.
    _pip("wheel", str(ROOT), "--no-deps", "--wheel-dir", str(place))
    (wheel,) = place.glob("*.whl")
    environment = place / "venv"
    venv.create(environment, with_pip=False, symlinks=sys.platform != "win32")
    commands = environment / ("Scripts" if sys.platform == "win32" else "bin")
    _pip("--python", str(environment), "install", str(wheel))
    return Installed(wheel, commands)


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    environment = {**os.environ, "SWARMWIRE_PURE": "1"}
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert finished.returncode == 0, finished.stderr


def test_the_wheel_holds_the_four_packages_and_nothing_beside(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        names = wheel.namelist()
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == PACKAGES
    assert len(top) == len(PACKAGES) + 1
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)


def test_the_wheel_holds_the_files_for_browsers(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        names = {name for name in wheel.namelist() if name.startswith("swarmwire_broker/static/")}
    for area, place in (("dashboard", ROOT / "broker" / "dashboard"), ("sdk", ROOT / "client" / "js" / "src")):
        for path in (path for kind in ("html", "js", "css", "svg") for path in place.rglob(f"*.{kind}")):
            assert f"swarmwire_broker/static/{area}/{path.relative_to(place).as_posix()}" in names


def test_an_installed_broker_serves_the_files_of_its_own_package(installed: Installed, tmp_path: Path) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        wheel.extractall(tmp_path)
    program = "from swarmwire_broker.web.assets import directory as d; print(d('dashboard'), d('sdk'))"
    environment = clean_environment() | {"PYTHONPATH": str(tmp_path), "SWARMWIRE_PURE": "1"}
    found = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    static = tmp_path / "swarmwire_broker" / "static"
    assert found.stdout.split() == [str(static / "dashboard"), str(static / "sdk")]
    assert (static / "dashboard" / "index.html").is_file()
    assert (static / "sdk" / "swarmwire.js").is_file()


def test_client_and_channels_work_without_the_server_libraries(installed: Installed) -> None:
    imports = "import swarmwire, swarmwire_channels, swarmwire_protocol"
    finished = installed.run("python", "-W", "error", "-c", f"{imports}; print(swarmwire.__file__, swarmwire.VERSION)")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout.startswith(str(installed.commands.parent))
    look = f"from importlib.util import find_spec; print([it for it in {SERVER_LIBRARIES} if find_spec(it)])"
    assert installed.run("python", "-c", look).stdout == "[]\n"


def test_only_what_the_client_needs_was_installed(installed: Installed) -> None:
    listing = "from importlib.metadata import distributions as d; print(sorted({it.name.lower() for it in d()}))"
    assert installed.run("python", "-c", listing).stdout == "['msgspec', 'orjson', 'swarmwire', 'websockets']\n"


@pytest.mark.parametrize("arguments", [(), ("serve",), ("--help",)])
def test_the_command_says_what_to_install(installed: Installed, arguments: tuple[str, ...]) -> None:
    finished = installed.run("swarmwire", *arguments)
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert finished.stderr.splitlines()[0].endswith("pip install 'swarmwire[broker]'")
    assert len(finished.stderr.splitlines()) == 1


def test_the_installed_client_talks_to_a_broker(installed: Installed) -> None:
    serve = [sys.executable, "-m", "swarmwire_broker", "serve", "--port", "0", "--log-format", "json"]
    script = (
        "import json, sys, swarmwire\n"
        "url = json.loads(sys.argv[1])['url']\n"
        "with swarmwire.connect_sync(url) as client:\n"
        "    print(client.publish('a', 1).seq)\n"
    )
    environment = clean_environment()
    with subprocess.Popen(serve, stderr=subprocess.PIPE, text=True, cwd=installed.commands, env=environment) as broker:
        try:
            assert broker.stderr is not None
            finished = installed.run("python", "-W", "error", "-c", script, broker.stderr.readline())
        finally:
            broker.terminate()
    assert (finished.stdout, finished.stderr) == ("1\n", "")
    assert broker.returncode == 0
