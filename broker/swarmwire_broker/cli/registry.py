"""`swarmwire registry watch`: who is there, and who comes and goes."""

from __future__ import annotations

from typing import Annotated

import typer

from .console import TokenOption, UrlOption
from .sub import sub

__all__ = ["watch"]


def watch(
    kind: Annotated[str, typer.Option("--kind", "-k", help="Of this kind only.", show_default="any")] = "*",
    url: UrlOption = None,
    token: TokenOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print who is registered, and then what changes, as events. Ctrl-C is the usual end."""
    sub([f"registry.{kind}.*"], url, token, as_json, "latest")
