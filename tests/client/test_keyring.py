"""Keys: where they come from, and what is refused."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path

import pytest

from swarmwire import ErrorCode, Key, Keyring, SwarmwireError

SECRET = bytes(range(32))
LINE = f"2026-11 {base64.b64encode(SECRET).decode()}"
OTHER = f"2026-10 {base64.b64encode(bytes(32)).decode()}"


def test_the_first_key_seals_and_all_open() -> None:
    ring = Keyring.from_text(f"# ours\n{LINE}\n\n{OTHER}\n")
    assert ring.current.name == "2026-11"
    assert [each.partition(":")[0] for each in ring.ids] == ["2026-11", "2026-10"]
    assert all(ring.find(each) is not None for each in ring.ids)
    assert ring.find("2026-11:00000000") is None


def test_rotating_puts_a_new_key_first_and_keeps_the_others() -> None:
    ring = Keyring.of(SECRET, "old", older=[("older", bytes(32))])
    rotated = ring.rotated("new")
    assert rotated.current.name == "new"
    assert rotated.ids[1:] == ring.ids


def test_two_keys_of_one_name_have_different_ids() -> None:
    assert Key("k", SECRET).id != Key("k", bytes(32)).id
    assert Key("k", SECRET).id == Key("k", SECRET).id


def test_generated_keys_differ() -> None:
    assert Keyring.generate("k").ids != Keyring.generate("k").ids


def test_a_key_is_never_shown() -> None:
    ring = Keyring.of(SECRET)
    encoded = base64.b64encode(SECRET).decode()
    for shown in (repr(ring), repr(ring.current), str(ring.ids)):
        assert encoded not in shown
        assert SECRET.hex() not in shown
        assert repr(SECRET) not in shown


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "at least one key"),
        ("# nothing\n", "at least one key"),
        ("k", "got 1 words"),
        ("k a b", "got 3 words"),
        ("k !!!!", "base64"),
        ("k AAAA", "32 bytes"),
        (f"k {base64.b64encode(bytes(33)).decode()}", "32 bytes"),
        (f"{LINE}\n2026-11 {base64.b64encode(bytes(32)).decode()}", "twice|once"),
        (f"a/b {LINE.split()[1]}", "name of a key"),
        (f"{'n' * 65} {LINE.split()[1]}", "name of a key"),
    ],
)
def test_what_is_no_ring_of_keys_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(SwarmwireError, match=sentence) as caught:
        Keyring.from_text(text)
    assert caught.value.code is ErrorCode.INVALID_MESSAGE
    assert LINE.split()[1] not in str(caught.value)


def test_both_alphabets_of_base64_are_read() -> None:
    secret = b"\xfb\xff" * 16
    texts = [base64.b64encode(secret).decode(), base64.urlsafe_b64encode(secret).decode()]
    assert len({Keyring.from_text(f"k {text}").ids for text in texts}) == 1


def test_keys_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARMWIRE_KEYS", f"{LINE},{OTHER}")
    assert len(Keyring.from_environment().ids) == 2
    monkeypatch.delenv("SWARMWIRE_KEYS")
    with pytest.raises(SwarmwireError, match="SWARMWIRE_KEYS"):
        Keyring.from_environment()


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    ring = Keyring.generate("a").rotated("b")
    path = tmp_path / "keys"
    ring.save(path)
    assert Keyring.from_file(path).ids == ring.ids
    with pytest.raises(FileExistsError):
        ring.save(path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mode bits")
def test_a_saved_file_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Keyring.generate().save(tmp_path / "keys")
    finally:
        os.umask(before)
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mode bits")
@pytest.mark.parametrize(
    ("mode", "good"), [(0o600, True), (0o400, True), (0o640, False), (0o604, False), (0o610, False)]
)
def test_a_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int, good: bool) -> None:
    path = tmp_path / "keys"
    path.write_text(LINE)
    path.chmod(mode)
    if good:
        assert Keyring.from_file(path).current.name == "2026-11"
        return
    with pytest.raises(SwarmwireError, match="chmod 600"):
        Keyring.from_file(path)


def test_a_file_too_long_or_of_no_text_is_refused(tmp_path: Path) -> None:
    for name, raw in (("long", b"#" * 65_537), ("binary", b"\xff\xfe")):
        path = tmp_path / name
        path.write_bytes(raw)
        path.chmod(0o600)
        with pytest.raises(SwarmwireError):
            Keyring.from_file(path)


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(SwarmwireError, match=r"swarmwire\[crypto\]") as caught:
        Keyring.of(SECRET)
    assert caught.value.code is ErrorCode.UNAVAILABLE
