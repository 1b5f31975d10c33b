"""`cluster.members`: a broker alone is all of a cluster of one."""

from __future__ import annotations

import pytest
from msgspec import structs

from .callers import Caller, running


async def test_a_broker_alone_is_the_only_member(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, name="lonely") as broker:
        told = await Caller(broker).call("cluster.members")
        info = broker.hub.info
        assert told["count"] == 1
        assert told["members"][0] == {
            "id": info.id,
            "name": "lonely",
            "version": info.version,
            "uptime": 0,
            "clients": 1,
            "coordinator": True,
            "here": True,
            "heard_ms": 0,
        }
        assert (await Caller(broker).call("daemon.status"))["members"][0]["id"] == info.id


async def test_health_tells_of_a_cluster_that_nobody_answers_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        caller = Caller(broker)
        assert (await caller.call("health.check"))["checks"]["cluster"] == {"status": "ok", "detail": "alone"}
        assert broker._services is not None
        membership = broker._services.membership
        alone = membership.members
        membership.members = lambda: [structs.replace(member, coordinator=False) for member in alone()]
        told = await caller.call("health.check")
        assert told["status"] == told["checks"]["cluster"]["status"] == "degraded"
        membership.members = lambda: alone() * 3
        assert (await caller.call("health.check"))["checks"]["cluster"]["detail"] == "3 brokers"
