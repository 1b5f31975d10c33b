"""Logging in: what a token proves. `chain` puts the parts together into the authenticator that the hub asks."""

from __future__ import annotations

from .chain import build_authenticator, configured_authenticator
from .login import check_subject
from .revocations import Revocations

__all__ = ["Revocations", "build_authenticator", "check_subject", "configured_authenticator"]
