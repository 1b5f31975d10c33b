"""Keys, tokens and certificates for servers that ask for them."""

from __future__ import annotations

import base64
import binascii
import datetime
import hashlib
import ipaddress
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["NKey", "Authority", "Certified", "creds"]

_KINDS = {"operator": 14 << 3, "account": 0, "user": 20 << 3}
_SEED = 18 << 3


class NKey:
    """A key of a kind: `seed` and `public` as NATS writes them."""

    def __init__(self, kind: str) -> None:
        raw = os.urandom(32)
        mark = _KINDS[kind]
        self._key = Ed25519PrivateKey.from_private_bytes(raw)
        self.seed = _written(bytes((_SEED | mark >> 5, (mark & 31) << 3)) + raw)
        self.public = _written(bytes((mark,)) + self._key.public_key().public_bytes_raw())

    def token(self, subject: NKey, kind: str, **claims: Any) -> str:
        """A token that says something of `subject`, signed by this key."""
        body = {"iss": self.public, "sub": subject.public, "name": kind, "iat": 1, **claims}
        body["nats"] = {"type": kind, "version": 2, **body.get("nats", {})}
        body["jti"] = hashlib.sha256(json.dumps(body).encode()).hexdigest()
        text = b".".join(_url(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ed25519-nkey"}, body))
        return (text + b"." + _url(self._key.sign(text))).decode()


def creds(token: str, seed: str) -> str:
    """The text of a `.creds` file."""
    return (
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        "************************* IMPORTANT *************************\n"
        "NKEY Seed printed below can be used to sign and prove identity.\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )


@dataclass(frozen=True)
class Certified:
    """A certificate and its key, as files."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates; its own is in the file `ca`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test authority")])
        authority = x509.BasicConstraints(ca=True, path_length=None)
        self.ca = self._write("ca", self._signed(self._name, self._key, authority))

    def certify(self, name: str, *hosts: str) -> Certified:
        """A certificate for these hosts, by name or by address."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([_alternative(host) for host in hosts or (name,)])
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Certified(
            self._write(name + ".cert", self._signed(subject, key, names)), self._write(name + ".key", private)
        )

    def _signed(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        )
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _write(self, name: str, data: bytes) -> Path:
        path = self._directory / f"{name}.pem"
        path.write_bytes(data)
        return path


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _written(data: bytes) -> str:
    checksum = binascii.crc_hqx(data, 0).to_bytes(2, "little")
    return base64.b32encode(data + checksum).rstrip(b"=").decode()


def _url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
