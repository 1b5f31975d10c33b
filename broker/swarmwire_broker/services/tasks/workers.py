"""The service of workers: who works, how many, and the pools that keep them running."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.methods import Asked, Method, Params
from ...core.ports import Clock
from ..registry.beings import Being
from ..registry.registry import Registry
from ..shared import Shared
from .pools import MOST_WORKERS, Command, Pool, Pools
from .projects import Change, Projects
from .tasks import Tasks

__all__ = ["Workers"]

log = logging.getLogger("swarmwire.broker.workers")

_KIND: Final = "worker"
_START: Final = "`swarmwire worker MODULE --count N` starts one"


_Page = Annotated[int, Meta(ge=0, le=1_000)]
_Offset = Annotated[int, Meta(ge=0, le=2**53)]


class _Status(Params, kw_only=True):
    pool: str | None = None
    project: str | None = None
    limit: _Page = 100
    offset: _Offset = 0


class _Scale(Params, kw_only=True):
    count: Any = None
    pool: str | None = None


class _Restart(Params, kw_only=True):
    worker: str | None = None
    pool: str | None = None


class Workers:
    """Answers `worker.*`. Workers are beings of that kind; what they do is known by the tasks that they hold."""

    def __init__(self, shared: Shared, registry: Registry, tasks: Tasks, projects: Projects) -> None:
        self._clock: Clock = shared.hub.clock
        self._shared = shared
        self._registry = registry
        self._tasks = tasks
        self._pools = Pools(shared.hub)
        projects.follow(self._follow)

    def methods(self) -> list[Method]:
        return [
            Method("worker.status", _Status, self._status, looks=True),
            Method("worker.scale", _Scale, self._scale),
            Method("worker.restart", _Restart, self._restart),
        ]

    async def start(self) -> None:
        """There is nothing to read: workers come to us."""

    def close(self) -> None:
        """Nothing happens by itself here."""

    # ---- worker.status

    async def _status(self, asked: Asked, params: _Status) -> dict[str, Any]:
        pools = await self._pools.look(params.pool, params.project, self._left(asked))
        holds = Counter(entry.worker for entry in self._tasks.running())
        workers = [_shown(being, holds[being.id]) for being in self._registry.of_kind(_KIND)]
        workers = [worker for worker in workers if _fits(worker, params)]
        states = Counter(worker["state"] for worker in workers)
        return {
            "total": states["active"] + states["idle"],
            "active": states["active"],
            "idle": states["idle"],
            "suspect": states["suspect"],
            "count": len(workers),
            "workers": workers[params.offset : params.offset + params.limit],
            "pools": [_shown_pool(method, pool) for method, pool in pools],
        }

    # ---- worker.scale

    async def _scale(self, asked: Asked, params: _Scale) -> dict[str, Any]:
        count = params.count
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise _invalid_count("a whole number that is not negative", count)
        name, members = self._one(params.pool)
        if count > MOST_WORKERS * len(members):
            raise _invalid_count(f"at most {MOST_WORKERS * len(members)}", count)
        left = self._left(asked)
        pools = await asyncio.gather(
            *(
                self._pools.ask(method, Command(action="scale", count=share), left)
                for method, share in zip(members, _shares(count, len(members)), strict=True)
            )
        )
        running = sum(pool.running for pool in pools)
        if any(pool.failed for pool in pools):
            sentence = f"{running} of {count} workers run; the others did not come up, and are tried again."
            raise SwarmwireError(ErrorCode.UNAVAILABLE, sentence)
        held = any(pool.held for pool in pools)
        return {"pool": name, "count": count, "running": running, "held": held, "workers": _ids(pools)}

    # ---- worker.restart

    async def _restart(self, asked: Asked, params: _Restart) -> dict[str, Any]:
        members = self._some(params.pool)
        restarted: list[Pool] = []
        for method in members:
            pool = await self._pools.ask(method, Command(action="restart", worker=params.worker), self._left(asked))
            if pool.failed:
                sentence = f"A new worker of the pool {pool.pool!a:.140} did not come up; those it has go on."
                raise SwarmwireError(ErrorCode.UNAVAILABLE, sentence)
            restarted.append(pool)
            if params.worker is not None and pool.done:
                break
        count = sum(pool.done for pool in restarted)
        if params.worker is not None and not count:
            sentence = f"No pool runs the worker {params.worker!a:.140}."
            raise SwarmwireError(ErrorCode.NOT_FOUND, sentence, field="params.worker")
        return {"restarted": count, "workers": _ids(restarted)}

    # ---- projects

    async def _follow(self, project: str, change: Change) -> None:
        """Let the pools of a project work, or not; when they do it is returned. What cannot be asked looks itself."""
        left = self._shared.limits.max_call_timeout_ms / 1000
        found = await self._pools.look(None, project, left)
        await asyncio.gather(*(self._tell(method, _following(change, pool), left) for method, pool in found))

    async def _tell(self, method: str, command: Command, left: float) -> None:
        try:
            await self._pools.ask(method, command, left)
        except SwarmwireError as error:
            log.warning("a pool did not follow its project", extra={"method": method, "code": error.code.value})

    # ---- which pools

    def _one(self, name: str | None) -> tuple[str, list[str]]:
        """The members of the pool of this name, or of the only one there is."""
        found = self._found(name)
        if len(found) > 1:
            names = ", ".join(repr(pool) for pool in sorted(found))
            sentence = f"Expected the name of a pool, since there are several: {names:.400}."
            raise SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field="params.pool")
        return next(iter(found.items()))

    def _some(self, name: str | None) -> list[str]:
        return [method for members in self._found(name).values() for method in members]

    def _found(self, name: str | None) -> dict[str, list[str]]:
        found = self._pools.members(name)
        if found:
            return found
        if name is None:
            raise SwarmwireError(ErrorCode.NOT_FOUND, f"There is no pool of workers; {_START}.")
        sentence = f"There is no pool of workers {name!a:.140}; {_START}."
        raise SwarmwireError(ErrorCode.NOT_FOUND, sentence, field="params.pool")

    def _left(self, asked: Asked) -> float:
        return max(0.0, asked.deadline - self._clock.time())


def _following(change: Change, pool: Pool | None) -> Command:
    if change is Change.STOPPED:
        return Command(action="hold")
    if change is Change.RESTARTED and pool is not None and not pool.held:
        return Command(action="restart")
    return Command(action="release")


def _shown(being: Being, tasks: int) -> dict[str, Any]:
    metadata = msgspec.json.decode(being.metadata)
    return {
        "id": being.id,
        "state": being.state if being.state != "online" else "active" if tasks else "idle",
        "tasks": tasks,
        "since": being.registered_at,
        "subject": being.subject,
        **{name: metadata.get(name) for name in ("pool", "project", "queues", "types", "concurrency", "pid", "host")},
    }


def _shown_pool(method: str, pool: Pool | None) -> dict[str, Any]:
    if pool is None:
        return {"method": method, "reachable": False}
    shown = {name: value for name, value in msgspec.structs.asdict(pool).items() if name not in ("done", "failed")}
    return {"method": method, "reachable": True, **shown}


def _fits(worker: dict[str, Any], params: _Status) -> bool:
    return params.pool in (None, worker["pool"]) and params.project in (None, worker["project"])


def _ids(pools: list[Pool]) -> list[str]:
    return [worker["id"] for pool in pools for worker in pool.workers if worker.get("state") == "running"]


def _shares(count: int, members: int) -> list[int]:
    """As many for each, but for the rest, which the first get."""
    each, rest = divmod(count, members)
    return [each + (place < rest) for place in range(members)]


def _invalid_count(expected: str, got: object) -> SwarmwireError:
    sentence = f"Invalid worker count: expected {expected}, got {got!a:.40}."
    return SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field="params.count")
