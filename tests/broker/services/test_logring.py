"""The ring of the broker's own log lines: bounded, masked, and safe from any thread."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.services.operators.logring import LEVELS, LogRing, Page

log = logging.getLogger("swarmwire.broker.tested")


@pytest.fixture(autouse=True)
def _level() -> Iterator[None]:
    before = logging.getLogger("swarmwire").level
    logging.getLogger("swarmwire").setLevel(logging.DEBUG)
    yield
    logging.getLogger("swarmwire").setLevel(before)


class Made:
    """A ring with limits that a test changes."""

    def __init__(self, **limits: Any) -> None:
        self.limits = Limits(**limits)
        self.ring = LogRing(lambda: self.limits)

    async def __aenter__(self) -> LogRing:
        self.ring.install()
        return self.ring

    async def __aexit__(self, *exc: object) -> None:
        self.ring.close()
        self.ring.close()


def lines(page: Page) -> list[dict[str, Any]]:
    return [json.loads(bytes(line)) for line in page.lines]


def messages(page: Page) -> list[str]:
    return [line["message"] for line in lines(page)]


async def test_it_keeps_the_newest_lines_in_order() -> None:
    async with Made(tail_lines=3) as ring:
        for number in range(5):
            log.info("line %d", number)
        assert messages(ring.newest(10, 0)) == ["line 2", "line 3", "line 4"]
        assert messages(ring.newest(2, 0)) == ["line 3", "line 4"]
        assert ring.newest(0, 0).lines == []
        assert ring.last == 5


async def test_it_holds_a_bounded_number_of_bytes_however_few_lines_that_are() -> None:
    async with Made(tail_bytes=1_000) as ring:
        for number in range(50):
            log.info("%03d%s", number, "x" * 100)
        kept = ring.newest(100, 0).lines
        assert 0 < sum(map(len, kept)) <= 1_000
        log.info("y" * 5_000)
        assert ring.newest(100, 0).lines == []


async def test_limits_may_be_zero_and_hold_when_they_are_changed() -> None:
    made = Made(tail_lines=0)
    async with made as ring:
        log.info("gone")
        assert ring.newest(9, 0).lines == []
        made.limits = Limits(tail_lines=1)
        log.info("kept")
        assert messages(ring.newest(9, 0)) == ["kept"]


async def test_a_line_says_when_where_how_bad_and_with_what() -> None:
    async with Made() as ring:
        log.warning("a client left", extra={"client_id": "a1", "reason": None})
        (line,) = lines(ring.newest(1, 0))
    assert line.pop("ts") > 1_600_000_000_000
    assert line == {
        "number": 1,
        "level": "warning",
        "logger": "swarmwire.broker.tested",
        "message": "a client left",
        "fields": {"client_id": "a1", "reason": None},
    }


async def test_an_entry_of_structlog_is_a_line_like_any_other() -> None:
    async with Made() as ring:
        entry = {"event": "started", "level": "info", "logger": "x", "timestamp": "now", "port": 5}
        log.info(entry)
        (line,) = lines(ring.newest(1, 0))
    assert (line["message"], line["fields"]) == ("started", {"port": 5})
    assert structlog is not None


async def test_secrets_are_masked_wherever_they_stand() -> None:
    async with Made() as ring:
        log.info("login", extra={"token": "sesame", "facts": {"password": "sesame", "name": "a"}})
        (line,) = lines(ring.newest(1, 0))
    assert line["fields"] == {"token": "***", "facts": {"password": "***", "name": "a"}}


async def test_a_traceback_is_kept_and_what_is_too_long_is_cut() -> None:
    async with Made() as ring:
        try:
            raise ValueError("broken " + "z" * 20_000)
        except ValueError:
            log.exception("it failed", extra={"long": "x" * 20_000, "odd": 2**80, "lone": "\ud800"})
        (line,) = lines(ring.newest(1, 0))
    assert line["exception"].endswith("zzz")
    assert all(len(str(part)) < 9_000 for part in (line["exception"], *line["fields"].values()))


async def test_a_record_that_cannot_be_written_down_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    async with Made() as ring:
        log.info("%d", "no number")
        log.info("next")
        assert messages(ring.newest(9, 0)) == ["next"]
        assert ring.last == 1


async def test_a_follower_goes_on_behind_a_record_that_cannot_be_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    async with Made() as ring:
        log.info("one")
        log.info("%d", "no number")
        log.info("two")
        page = ring.after(1, 9, 0)
        assert (messages(page), page.upto, page.missed) == (["two"], ring.last, 0)


async def test_a_value_that_logs_while_it_is_written_down_has_a_line_of_its_own_before_it() -> None:
    class Chatty:
        def __str__(self) -> str:
            log.info("asked for my name")
            return "chatty"

    async with Made() as ring:
        log.info("a value", extra={"value": Chatty()})
        told = lines(ring.newest(9, 0))
    assert [line["number"] for line in told] == list(range(1, len(told) + 1))
    assert told[-1]["message"] == "a value"


async def test_only_lines_of_at_least_a_level_are_chosen() -> None:
    async with Made() as ring:
        for level in (10, 20, 30, 40):
            log.log(level, "at %d", level)
        assert messages(ring.newest(9, LEVELS["warning"])) == ["at 30", "at 40"]
        assert messages(ring.after(0, 9, LEVELS["error"])) == ["at 40"]


async def test_a_follower_reads_on_in_pages_and_learns_what_it_missed() -> None:
    async with Made(tail_lines=5) as ring:
        for number in range(1, 4):
            log.info("%d", number)
        page = ring.after(0, 2, 0)
        assert (messages(page), page.upto, page.missed) == (["1", "2"], 2, 0)
        page = ring.after(page.upto, 2, 0)
        assert (messages(page), page.upto, page.missed) == (["3"], 3, 0)
        for number in range(4, 14):
            log.info("%d", number)
        page = ring.after(page.upto, 9, 0)
        assert (messages(page), page.upto, page.missed) == (["9", "10", "11", "12", "13"], 13, 5)
        assert ring.after(13, 9, 0) == Page([], 13, 0)


async def test_lines_of_a_level_that_is_not_wanted_are_passed_by() -> None:
    async with Made() as ring:
        for _ in range(3):
            log.debug("chatter")
        assert ring.after(0, 2, LEVELS["info"]) == Page([], 3, 0)


async def test_a_follower_is_woken_from_any_thread_until_it_leaves() -> None:
    async with Made() as ring:
        woken = ring.follow()
        thread = threading.Thread(target=lambda: log.info("from afar"))
        thread.start()
        async with asyncio.timeout(10):
            await woken.wait()
        thread.join()
        woken.clear()
        ring.leave(woken)
        ring.leave(woken)
        log.info("unheard")
        await asyncio.sleep(0)
        assert not woken.is_set()


async def test_there_are_only_so_many_followers() -> None:
    async with Made(max_tails=1) as ring:
        first = ring.follow()
        with pytest.raises(OverflowError):
            ring.follow()
        ring.leave(first)
        ring.leave(ring.follow())


async def test_closed_it_listens_no_more() -> None:
    made = Made()
    async with made as ring:
        log.info("heard")
    log.info("unheard")
    assert messages(ring.newest(9, 0)) == ["heard"]
