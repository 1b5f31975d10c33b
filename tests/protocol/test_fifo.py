"""Announcements on the control FIFO, and what a FIFO has to be."""

from __future__ import annotations

import os
import stat
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_protocol.fifo import (
    AnnouncementReader,
    announcement,
    fault_of_directory,
    fault_of_fifo,
    fifo_names,
)

ids = st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=16, max_size=64)
garbage = st.one_of(
    st.binary(max_size=100),
    st.sampled_from(
        [b"SWARM/1 ", b"SWARM/1 0123456789abcdef", b"SWARM/1 \n", b"\n\n", b"SWARM/1 ../0123456789abcdef\n"]
    ),
)


def test_the_names_of_a_client_lie_in_the_directory() -> None:
    assert fifo_names(Path("/run/x"), "abc") == (Path("/run/x/abc.up"), Path("/run/x/abc.down"))


@given(ids)
def test_an_announcement_is_one_short_line(client: str) -> None:
    record = announcement(client)
    assert record.endswith(b"\n")
    assert len(record) <= 512, "what POSIX writes in one piece everywhere"
    assert AnnouncementReader().feed(record) == [client]


@given(st.lists(st.tuples(garbage, ids), max_size=5), st.lists(st.integers(0, 600), max_size=5))
def test_announcements_are_found_between_garbage_however_they_are_cut(
    pieces: list[tuple[bytes, str]], cuts: list[int]
) -> None:
    stream = b"".join(junk + announcement(client) for junk, client in pieces)
    bounds = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = AnnouncementReader()
    found = []
    for start, stop in pairwise(bounds):
        found += reader.feed(stream[start:stop])
    wanted = [client for _, client in pieces]
    assert [client for client in found if client in wanted] == wanted
    assert reader.garbage == len(stream) - sum(len(announcement(client)) for client in found)


@given(st.lists(st.binary(max_size=5_000), max_size=10))
def test_less_than_one_announcement_is_kept(pieces: list[bytes]) -> None:
    reader = AnnouncementReader()
    for piece in pieces:
        reader.feed(piece)
        assert len(reader._rest) < len(announcement("0" * 64))


@pytest.mark.parametrize("client", ["0" * 15, "0" * 65, "A" * 16, "../0123456789abcdef", "0123456789abcde/", "é" * 16])
def test_what_is_no_id_is_not_announced(client: str) -> None:
    assert AnnouncementReader().feed(b"SWARM/1 " + client.encode() + b"\n") == []


# ---- what a file has to be


def status(mode: int, owner: int = 7) -> os.stat_result:
    return os.stat_result((mode, 0, 0, 1, owner, owner, 0, 0, 0, 0))


def test_a_fifo_and_a_directory_of_the_owner_alone_are_right() -> None:
    assert fault_of_fifo(status(stat.S_IFIFO | 0o600), 7) is None
    assert fault_of_directory(status(stat.S_IFDIR | 0o700), 7) is None


@pytest.mark.parametrize("kind", [stat.S_IFREG, stat.S_IFLNK, stat.S_IFSOCK, stat.S_IFCHR])
def test_a_file_of_another_kind_is_wrong(kind: int) -> None:
    assert fault_of_fifo(status(kind | 0o600), 7) == "it is no FIFO"
    assert fault_of_directory(status(kind | 0o700), 7) == "it is no directory"


def test_the_file_of_somebody_else_is_wrong() -> None:
    for fault in (
        fault_of_fifo(status(stat.S_IFIFO | 0o600, 8), 7),
        fault_of_directory(status(stat.S_IFDIR | 0o700, 8), 7),
    ):
        assert fault == "it belongs to the user 8, not to 7"


@pytest.mark.parametrize("mode", [0o640, 0o602, 0o610, 0o601])
def test_a_file_that_others_may_use_is_wrong(mode: int) -> None:
    assert fault_of_fifo(status(stat.S_IFIFO | mode), 7) is not None
    assert fault_of_directory(status(stat.S_IFDIR | mode), 7) is not None
