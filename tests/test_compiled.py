"""Where there is a compiler, the compiled modules are what runs, and they are of today's sources."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hatch_build import sources

from swarmwire_protocol.purity import is_pure

ROOT = Path(__file__).parent.parent
NAMES = [".".join(path.relative_to(ROOT).with_suffix("").parts[1:]) for path in sources(ROOT)]


def has_compiled() -> bool:
    return any(path.suffix in (".so", ".pyd") for path in (ROOT / "protocol").rglob("speedups.*"))


@pytest.mark.skipif(is_pure(), reason="SWARMWIRE_PURE asks for Python")
@pytest.mark.skipif(not has_compiled() and "CI" not in os.environ, reason="this tree is not compiled: see `make test`")
@pytest.mark.parametrize("name", NAMES)
def test_what_runs_is_compiled_from_the_source_that_is_there(name: str) -> None:
    importlib.import_module("swarmwire_broker.core.session")  # compiled, `core.requests` cannot be the first of the two
    module = importlib.import_module(name)
    built = Path(module.__file__ or "")
    assert built.suffix in (".so", ".pyd"), f"{name} runs as Python; `make test` compiles it"
    for suffix in (".py", ".pxd", ".pyx"):
        source = built.with_name(name.rpartition(".")[2] + suffix)
        assert not source.exists() or source.stat().st_mtime <= built.stat().st_mtime, f"{source} is newer: run `make`"


def test_compiled_modules_are_left_aside_on_request() -> None:
    code = (
        "import swarmwire_broker.core.delivery as one, swarmwire_protocol.accelerators as two\n"
        "print(one.__file__.endswith('.py'), two.scan_publish.__module__)"
    )
    environment = {**os.environ, "SWARMWIRE_PURE": "1"}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["True", "swarmwire_protocol.fallbacks"]
