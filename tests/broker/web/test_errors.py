"""Errors: the status of each, and what is said of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from swarmwire_broker.web.errors import STATUSES, HttpError, answer_error
from swarmwire_protocol.errors import ERRORS, ErrorCode, Outcome, SwarmwireError

PAGE = (Path(__file__).parents[3] / "docs" / "http.md").read_text(encoding="utf-8")


def test_every_error_has_a_status() -> None:
    assert set(STATUSES) == set(ErrorCode)


def test_the_page_shows_the_table() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|$", PAGE, re.MULTILINE)
    assert [(code.value, str(status)) for code, status in STATUSES.items()] == rows


@pytest.mark.parametrize("code", [code for code, row in ERRORS.items() if row.outcome is Outcome.NOT_DONE])
def test_what_was_not_done_is_never_a_timeout_of_a_gateway(code: ErrorCode) -> None:
    assert STATUSES[code] not in (500, 504)


@pytest.mark.parametrize(
    ("wait", "header"), [(None, None), (0, "0"), (1, "1"), (1_000, "1"), (1_001, "2"), (61_000, "61")]
)
def test_when_to_come_back_is_said_in_whole_seconds_too(wait: int | None, header: str | None) -> None:
    answer = answer_error(SwarmwireError(ErrorCode.RATE_LIMIT_EXCEEDED, "Slower.", retry_after_ms=wait))
    assert answer.status_code == 429
    assert answer.headers.get("retry-after") == header
    assert json.loads(bytes(answer.body))["error"].get("retry_after_ms") == wait


def test_only_what_is_known_is_said() -> None:
    body = json.loads(bytes(answer_error(SwarmwireError(ErrorCode.NOT_FOUND, "None.")).body))
    assert body == {"error": {"code": "NOT_FOUND", "message": "None."}}


def test_an_error_of_http_has_its_own_status_and_headers() -> None:
    answer = answer_error(HttpError(405, ErrorCode.INVALID_MESSAGE, "No.", headers={"Allow": "GET"}))
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


def test_a_login_that_is_missing_names_its_kind() -> None:
    answer = answer_error(SwarmwireError(ErrorCode.TOKEN_EXPIRED))
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
