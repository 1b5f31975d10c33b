"""Publishes to a JetStream stream in files through nats-py's `publish_async`, so many not acknowledged at any time."""

from __future__ import annotations

import asyncio
import json
import time
from functools import partial

import nats  # type: ignore[import-not-found, unused-ignore]
from benchmarks.clients.awaited import Options, Tally, cpu_of, options
from nats.js.api import StorageType, StreamConfig  # type: ignore[import-not-found, unused-ignore]

__all__ = ["main"]


async def main(wanted: Options) -> None:
    """Publish on one subject as fast as the library takes it, and count the acknowledgements."""
    client = await nats.connect(f"nats://127.0.0.1:{wanted.port}", pending_size=64 * 1024 * 1024)
    stream = client.jetstream(publish_async_max_pending=wanted.outstanding)
    await stream.add_stream(StreamConfig(name="bench", subjects=["bench.>"], storage=StorageType.FILE))
    tally = Tally()
    publishing = asyncio.create_task(_publish(stream, wanted, tally))
    await asyncio.sleep(wanted.warmup)
    tally.latencies.clear()
    start, server, own = time.perf_counter(), cpu_of(wanted.pid), time.process_time()
    await asyncio.sleep(wanted.duration)
    seconds, used = time.perf_counter() - start, cpu_of(wanted.pid) - server
    latencies, busy = sorted(tally.latencies), (time.process_time() - own) / seconds
    tally.is_over = True
    await publishing
    await client.close()
    print(json.dumps(_figures(latencies, seconds, used, busy, tally.errors)))


async def _publish(stream: nats.js.JetStreamContext, wanted: Options, tally: Tally) -> None:
    payload = json.dumps("x" * (wanted.payload - 2)).encode()
    while not tally.is_over:
        start = time.perf_counter()
        answer = await stream.publish_async("bench.windowed", payload, wait_stall=30)
        answer.add_done_callback(partial(_note, start, tally))
    await stream.publish_async_completed()


def _note(start: float, tally: Tally, done: asyncio.Future[nats.js.api.PubAck]) -> None:
    if done.exception() is not None:
        tally.errors += 1
    else:
        tally.latencies.append(time.perf_counter() - start)


def _figures(latencies: list[float], seconds: float, used: float, busy: float, errors: int) -> dict[str, float | None]:
    count = len(latencies)
    return {
        "seconds": seconds,
        "delivery_rate": count / seconds,
        "cpu_us_per_delivery": used * 1e6 / count if count else None,
        "p50_us": latencies[count // 2] * 1e6 if count else None,
        "p99_us": latencies[int(count * 0.99)] * 1e6 if count else None,
        "server_busy": used / seconds,
        "generator_busy": busy,
        "errors": errors,
    }


if __name__ == "__main__":
    asyncio.run(main(options()))
