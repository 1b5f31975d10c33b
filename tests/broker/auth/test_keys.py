"""Keys: what is too weak, or for another algorithm than was stated, is refused before the broker starts."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from swarmwire_broker.auth.keys import MIN_SECRET_BYTES, StaticKey, check_algorithms, public_key, secret_key

ALL = ["HS256", "RS256", "ES256", "EdDSA"]


def test_a_secret_is_for_hs256_alone() -> None:
    assert secret_key("x" * MIN_SECRET_BYTES).algorithms == ("HS256",)
    assert secret_key(b"x" * MIN_SECRET_BYTES, ALL).algorithms == ("HS256",)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes, it has 31"):
        secret_key("x" * (MIN_SECRET_BYTES - 1))


def test_a_secret_without_its_algorithm_is_refused() -> None:
    with pytest.raises(ValueError, match="the JWT secret needs HS256 to be stated, got RS256"):
        secret_key("x" * MIN_SECRET_BYTES, ["RS256"])


def test_a_public_key_given_as_the_secret_is_refused(public_keys: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="PEM"):
        secret_key(public_keys["RS256"], ALL)


@pytest.mark.parametrize("secret", ['{"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAAAA"}', "ssh-ed25519 " + "A" * 68])
def test_a_key_of_another_kind_given_as_the_secret_is_refused_at_the_start(secret: str) -> None:
    with pytest.raises(ValueError, match="a key of another kind"):
        secret_key(secret)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_public_key_is_for_the_one_algorithm_of_its_kind(algorithm: str, public_keys: dict[str, str]) -> None:
    assert public_key(public_keys[algorithm], ALL).algorithms == (algorithm,)
    with pytest.raises(ValueError, match=f"needs {algorithm} to be stated, got HS256"):
        public_key(public_keys[algorithm], ["HS256"])
    with pytest.raises(ValueError, match=f"needs {algorithm} to be stated, got nothing"):
        public_key(public_keys[algorithm], [])


def test_an_rsa_key_that_is_too_short_is_refused() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    with pytest.raises(ValueError, match="at least 2048 bits, it has 1024"):
        public_key(weak.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), ALL)


def test_a_key_on_another_curve_is_refused() -> None:
    other = ec.generate_private_key(ec.SECP384R1()).public_key()
    with pytest.raises(ValueError, match="RSA, P-256 or Ed25519"):
        public_key(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), ALL)


def test_a_private_key_is_no_public_key() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match="BEGIN PUBLIC KEY"):
        public_key(pem, ALL)


@pytest.mark.parametrize("algorithm", ["none", "HS512", "hs256", ""])
def test_an_algorithm_beyond_the_four_is_refused(algorithm: str) -> None:
    with pytest.raises(ValueError, match="algorithms"):
        check_algorithms(["HS256", algorithm])


async def test_a_key_is_found_for_its_own_algorithm_only() -> None:
    key = secret_key("x" * MIN_SECRET_BYTES)
    assert await StaticKey(key).find({"alg": "HS256"}) is key
    others: list[dict[str, object]] = [{"alg": "none"}, {"alg": "RS256"}, {"alg": {}}, {}]
    for header in others:
        assert await StaticKey(key).find(header) is None
