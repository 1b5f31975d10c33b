"""The load generator counts right: against Swarmwire itself, and against the C servers of the bench."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import jwt
import pytest
from benchmarks.runner.generator import Times, arguments
from benchmarks.runner.installs import Compile
from benchmarks.runner.peers import LOADGEN, PEERS
from benchmarks.runner.processes import free_port
from benchmarks.runner.workloads import WORKLOADS
from websockets.asyncio.client import connect

from swarmwire_broker import Config
from swarmwire_broker.server import Server

from .conftest import figures_of

TIMES = Times(warmup=0.1, measured=0.5)
SMALL = ("--subs", "6", "--pubs", "1", "--drain", "5")
SECRET = "a secret of the bench, long enough"
Program = Callable[[Compile], Path]


def claims(number: int) -> dict[str, object]:
    return {"sub": f"bench-{number}", "permissions": {"publish": ["bench.#"], "subscribe": ["bench.#"], "call": []}}
