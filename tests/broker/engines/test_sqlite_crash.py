"""The durable engine under what cannot be caught: kill -9, and a disk that is really full."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarmwire_broker.engines.base import Outcome

from .test_sqlite_start import opened

_WRITER = """
import asyncio, sys
from pathlib import Path
from swarmwire_broker.engines.base import Draft
from swarmwire_broker.engines.sqlite import SqliteEngine
from swarmwire_protocol.codec import event_head, event_origin

async def main():
    engine = SqliteEngine(Path(sys.argv[1]), now_ms=lambda: 1_700_000_000_000, sync=sys.argv[2])
    await engine.start()
    number = engine.head
    def done(outcome):
        sys.stdout.write(f"{outcome.seq}\\n")
    while True:
        for _ in range(20):
            number += 1
            topic = f"t{number % 5}"
            key, data = ("me", str(number)), b"%d" % number
            engine.append(Draft(topic, event_head(topic), event_origin("me"), data, key, done=done))
        await asyncio.sleep(0)
        sys.stdout.flush()
        while engine.congested:
            await asyncio.sleep(0.001)

asyncio.run(main())
"""


def _acked_until_killed(directory: Path, sync: str, wanted: int) -> int:
    """Have another process write until so many events are acknowledged, and kill it; the last that was."""
    acked = 0
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(directory), sync], stdout=subprocess.PIPE)
    with writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if line.endswith(b"\n"):
                acked = max(acked, int(line))
            if acked >= wanted:
                writer.send_signal(signal.SIGKILL)
                wanted = sys.maxsize
    assert writer.returncode == -signal.SIGKILL
    return acked


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
@pytest.mark.parametrize("sync", ["full", "normal"])
async def test_every_acknowledged_event_is_there_after_kill_9(tmp_path: Path, sync: str) -> None:
    acked = 0
    for _ in range(3):
        acked = _acked_until_killed(tmp_path, sync, acked + 300)
        async with opened(tmp_path, sync=sync) as rig:
            assert rig.engine.head >= acked
            entries = await rig.read_all(["#"])
            assert [entry.seq for entry in entries] == list(range(1, rig.engine.head + 1))
            # Each was stored once, with its key, and is the one that was published in its place.
            assert all(entry.payload.endswith(b'"data":%d}' % entry.seq) for entry in entries)
            last = f"t{acked % 5}"
            assert await rig.append(last, key=str(acked), scope="me") == Outcome(acked, duplicate=True)
            acked = rig.engine.head


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes, where the tests may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root on Linux")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


async def test_on_a_disk_that_is_full_publishes_are_refused_reading_goes_on_and_writing_resumes(
    small_disk: Path,
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 800_000)
    async with opened(small_disk / "log", window_events=0) as rig:
        taken = 0
        while (outcome := await rig.append("a", b'"%b"' % (b"x" * 2_000), key=str(taken))).error is None:
            taken += 1
            assert taken < 2_000
        assert taken > 10
        assert outcome.error.retry_after_ms is not None
        assert rig.engine.trouble is not None
        assert await rig.seqs("#") == list(range(1, taken + 1))
        ballast.unlink()
        again = await rig.append("a", b'"%b"' % (b"x" * 2_000), key=str(taken))
        assert again == Outcome(taken + 1)
        assert rig.engine.trouble is None
    async with opened(small_disk / "log") as rig:
        assert await rig.seqs("#") == list(range(1, taken + 2))
