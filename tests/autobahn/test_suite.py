"""What the suite says is sorted right, and the echo it speaks to says what it hears."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from . import suite

GOOD = {"behavior": "OK", "behaviorClose": "OK"}


@pytest.fixture
async def echo() -> AsyncIterator[str]:
    """The URL of a running echo."""
    program = str(Path(suite.__file__).with_name("echo.py"))
    process = await asyncio.create_subprocess_exec(sys.executable, program, stdout=PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            yield f"ws://127.0.0.1:{int(await process.stdout.readline())}/"
    finally:
        process.kill()
        await process.communicate()


@pytest.mark.parametrize("message", ["", "grüße", b"", b"\x00\xff", "x" * 100_000, b"y" * 100_000], ids=len)
async def test_the_echo_says_what_it_hears(echo: str, message: str | bytes) -> None:
    async with connect(echo, max_size=None, compression=None) as client:
        await client.send(message)
        assert await client.recv() == message
        await client.send([message, message])
        assert await client.recv() == message + message  # type: ignore[operator]


async def test_the_echo_ends_a_broken_connection_with_the_close_frame_alone(echo: str) -> None:
    async with connect(echo, compression=None) as client:
        await client.send(b"\xff", text=True)
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1007


def test_a_case_fails_by_what_was_said_or_by_how_it_ended() -> None:
    verdicts = {
        "1.1": GOOD,
        "1.2": {"behavior": "FAILED", "behaviorClose": "OK"},
        "1.3": {"behavior": "OK", "behaviorClose": "FAILED BY CLIENT"},
        "1.4": {"behavior": "NON-STRICT", "behaviorClose": "OK"},
        "1.5": {"behavior": "INFORMATIONAL", "behaviorClose": "INFORMATIONAL"},
        "1.6": {"behavior": "UNIMPLEMENTED", "behaviorClose": "OK"},
    }
    outcome = suite.judge("some", verdicts)
    assert outcome.failed == ("1.2", "1.3", "1.6")
    assert outcome.not_strict == ("1.4",)
    assert dict(outcome.counts) == {"OK": 1, "NON-STRICT": 1, "INFORMATIONAL": 1}


def test_the_report_counts_and_names_what_is_not_well() -> None:
    verdicts = {"1.1": GOOD, "1.2": GOOD, "1.3": {"behavior": "FAILED", "behaviorClose": "OK"}}
    text = suite.report([suite.judge("framing", verdicts)], "2026-01-01")
    assert "| framing | 2 | 0 | 0 | 1 |" in text
    assert "Failed: 1.3." in text
    assert "Non-strict:" not in text


def test_the_document_of_the_project_has_the_place_for_it() -> None:
    assert "\n\nplanted\n\n" in suite.between_markers(suite.DOCUMENT.read_text(encoding="utf-8"), "planted")


def test_without_python_2_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("PATH", str(tmp_path)), ("PYENV_ROOT", str(tmp_path)), ("PYTHON2", "")):
        monkeypatch.setenv(name, value)
    assert suite.main([]) == 2
    assert "needs Python 2.7, and none was found" in capsys.readouterr().err
