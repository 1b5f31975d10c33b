"""Keys of NATS are read as NATS writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmwire_broker.natslink.errors import LinkError
from swarmwire_broker.natslink.nkeys import public_of, read_key_file, sign

from .keys import NKey, creds

# The pair that the documentation of NATS shows.
SEED = b"SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
PUBLIC = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"


def test_a_known_seed_has_its_known_public_key() -> None:
    assert public_of(SEED) == PUBLIC


@pytest.mark.parametrize("kind", ["operator", "account", "user"])
def test_every_kind_of_key_is_told_by_its_first_letter(kind: str) -> None:
    key = NKey(kind)
    assert public_of(key.seed.encode()) == key.public
    assert key.public[0] == kind[0].upper()


def test_a_damaged_seed_is_refused() -> None:
    for place in (3, 20, 57):
        damaged = bytearray(SEED)
        damaged[place] = ord("A") if damaged[place] != ord("A") else ord("B")
        with pytest.raises(LinkError, match="damaged"):
            sign(bytes(damaged), "nonce")


def test_what_a_file_holds_does_not_show(tmp_path: Path) -> None:
    file = tmp_path / "creds"
    file.write_text(creds("some.jwt.token", SEED.decode()))
    keys = read_key_file(file)
    assert (keys.seed, keys.token) == (SEED, "some.jwt.token")
    assert "SUACS" not in repr(keys)
    assert "token" not in repr(keys).replace("KeyFile", "")
