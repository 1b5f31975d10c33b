"""Logins, permissions and sealed payloads, between processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from swarmwire import ErrorCode, SwarmwireError, connect

from .program import finished, program


@pytest_asyncio.fixture
async def vault(tmp_path: Path) -> AsyncIterator[Path]:
    """The secrets of a broker that runs, as a process."""
    path = tmp_path / "vault"
    assert await finished("secure", "setup", path) == (0, [])
    async with program("secure", "serve", path, "--port", 0) as broker:
        await broker.line("serving on ws://.*")
        yield path


async def test_who_has_the_key_reads_what_was_paid_and_by_whom(vault: Path) -> None:
    assert await finished("secure", "pay", vault, 1200) == (0, [])
    assert await finished("secure", "read", vault, "--count", 1) == (0, ["payroll: {'amount': 1200}"])


async def test_who_has_no_key_sees_nothing_of_what_was_paid(vault: Path) -> None:
    await finished("secure", "pay", vault, 1200)
    code, (line,) = await finished("secure", "snoop", vault, "--count", 1)
    assert code == 0
    assert line.startswith("payroll: ")
    assert "amount" not in line
    assert "1200" not in line


async def test_who_may_only_read_cannot_pay(vault: Path) -> None:
    code, (line,) = await finished("secure", "forge", vault, 9999)
    assert (code, line.partition(":")[0]) == (1, "PERMISSION_DENIED")


async def test_nobody_comes_in_without_a_token_or_with_another(vault: Path) -> None:
    url = (vault / "url").read_text()
    for token in (None, "x", (vault / "clerk.token").read_text() + "x"):
        with pytest.raises(SwarmwireError) as caught:
            await connect(url, token=token)
        assert caught.value.code is ErrorCode.AUTHENTICATION_FAILED


async def test_a_token_that_has_expired_lets_nobody_in(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    assert await finished("secure", "setup", vault, "--expires", -60) == (0, [])
    async with program("secure", "serve", vault, "--port", 0) as broker:
        await broker.line("serving on ws://.*")
        code, (line,) = await finished("secure", "read", vault, "--count", 1)
    assert (code, line.partition(":")[0]) == (1, "TOKEN_EXPIRED")


async def test_all_that_is_secret_is_for_its_owner_alone(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    await finished("secure", "setup", vault)
    assert vault.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in vault.iterdir()} == {0o600}
