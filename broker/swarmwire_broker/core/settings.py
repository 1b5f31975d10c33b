"""Every limit of the broker, by name, with its default. `docs/limits.md` lists them with what happens at each.

None means no limit; 0 means zero.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

__all__ = ["Limits", "LogRule", "RateLimit", "Rates"]

_MOST = 2**53
"""What JSON, a float and 64 bits hold alike."""

_Count = Annotated[int, Meta(ge=0, le=_MOST)]
_Positive = Annotated[int, Meta(ge=1, le=_MOST)]
_Seconds = Annotated[float, Meta(ge=0)]

KIB = 1024
MIB = 1024 * KIB


class LogRule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the log holds of the topics that a pattern matches, each None where there is no limit."""

    events: _Count | None = None
    bytes: _Count | None = None
    age_ms: _Count | None = None


class Limits(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the broker will hold, wait for and accept. Sizes are in bytes, `_ms` in milliseconds, the rest in counts."""

    # ---- connections
    max_connections: _Count | None = 10_000
    """Connections at once; one more is told LIMIT_EXCEEDED and closed with 1013."""
    max_unauthenticated: _Count | None = 1_000
    """Connections that have not finished their hello; one more is told LIMIT_EXCEEDED and closed with 1013.

    Sockets over this and `max_connections` together, whatever they speak, are cut at once."""
    auth_timeout_ms: _Count = 10_000
    """Time for the hello and its login (then NOT_AUTHENTICATED and close 4402), and for the head of an HTTP request."""
    heartbeat_ms: _Positive = 15_000
    """The broker's heartbeat; a client silent for two of them is closed with 4409."""
    request_timeout_ms: _Count = 30_000
    """Time for the body of an HTTP request (then 408), for its answer (then OUTCOME_UNKNOWN), and for a client to take
    the answer (then it is cut)."""
    close_timeout_ms: _Count = 2_000
    """Time for a closing connection to take its last bytes; then it is cut."""
    drain_timeout_ms: _Count = 10_000
    """Time for a stopping broker to empty its outboxes, and to answer who has ended its side of a stream."""
    reconnect_window_ms: _Count = 5_000
    """A stopping broker spreads the reconnects it advises over this time."""

    # ---- messages
    max_message_bytes: _Positive = 10 * MIB
    """One message from a client; more is MESSAGE_TOO_LARGE and close 1009."""
    max_hello_bytes: _Positive = 64 * KIB
    """The same before the welcome, and the head of an HTTP request (a larger one is answered 431)."""
    max_headers: _Count = 32
    """Headers of one publish; more is INVALID_MESSAGE."""
    max_headers_bytes: _Count = 8 * KIB
    """Names and values of the headers of one publish together; more is INVALID_MESSAGE."""
    max_key_bytes: _Count = 256
    """An idempotency key; a longer one is INVALID_MESSAGE."""
    max_batch: _Count = 10_000
    """Items of one batch over HTTP; with more nothing of it is published, and it is MESSAGE_TOO_LARGE."""
    max_malformed: _Count = 100
    """Malformed messages a connection may send at once (one more each second); then 1008."""

    # ---- subscriptions
    max_subscriptions: _Count | None = 1_000
    """Subscriptions of one connection; one more is refused with LIMIT_EXCEEDED in its result."""
    max_replays: _Positive = 4
    """Replays of one connection that run at once; the others wait their turn."""
    max_queue_size: _Count = 100_000
    """The largest `queue_size` of a subscription in mode drop_oldest; more is INVALID_MESSAGE."""
    queue_size: _Count = 1_000
    """Events a subscription in mode drop_oldest queues when it does not say."""

    # ---- outboxes
    outbox_bytes: _Positive = 1 * MIB
    """Bytes waiting for one client's socket; beyond it the client catches up from the log instead."""
    outbox_total_bytes: _Positive | None = 256 * MIB
    """The same over all clients; beyond it whoever has not drained catches up from the log."""
    control_bytes: _Positive = 1 * MIB
    """Answers waiting for one client; beyond it nothing more is read from that client until they are taken."""
    control_messages: _Positive = 4_096
    """The same as a number of messages."""
    page_bytes: _Positive = 128 * KIB
    """Bytes of the log that all catching up together writes in one turn of the loop."""
    page_scan: _Positive = 2_000
    """Entries of the log that all catching up together looks at in one turn of the loop."""

    # ---- calls
    call_timeout_ms: _Count = 30_000
    """Time for the answer to a call that says none; then TIMEOUT, and who works on it is told to stop."""
    max_call_timeout_ms: _Count = 86_400_000
    """The longest time a call may ask for (a day); more is INVALID_MESSAGE."""
    max_pending_calls: _Count = 1_000
    """Calls of one connection that wait for their last answer; one more is LIMIT_EXCEEDED."""
    answers_bytes: _Positive = 64 * MIB
    """Last answers to calls that wait for one client; one more is SLOW_CONSUMER in its place."""
    max_handler_calls: _Count = 1_000
    """Calls that one connection has been handed and not answered; it gets no more, UNAVAILABLE if nobody else does."""
    max_handlers: _Count = 1_000
    """Methods that one connection handles; with more, none of the request is registered: LIMIT_EXCEEDED."""

    # ---- log
    log_events: _Count | None = 100_000
    """Events the log holds; the oldest make room, and who has not read them gets a gap."""
    log_bytes: _Count | None = 256 * MIB
    """The same in bytes."""
    log_age_ms: _Count | None = None
    """The same in time."""
    log_rules: dict[str, LogRule] = {}
    """The same three by topic pattern (with `data` only): the first pattern that matches decides for a topic alone."""
    window_events: _Count = 50_000
    """The newest events of a log on disk that are held in memory too; who reads further back waits for the disk."""
    window_bytes: _Count = 64 * MIB
    """The same in bytes."""
    write_queue_events: _Positive = 10_000
    """Events that wait to be written to disk; beyond it publishers are read more slowly."""
    write_queue_bytes: _Positive = 16 * MIB
    """The same in bytes."""
    latest_topics: _Count = 100_000
    """Topics whose last event is kept beside the log; the one longest unchanged makes room."""
    latest_bytes: _Count = 64 * MIB
    """The same in bytes of events."""
    dedupe_ms: _Count = 60_000
    """How long an idempotency key is remembered."""
    dedupe_keys: _Count = 1_000_000
    """Keys remembered at once; one more is UNAVAILABLE with `retry_after_ms`."""
    dedupe_keys_per_subject: _Count = 500_000
    """The same for one subject."""
    router_cache_topics: _Count = 100_000
    """Topics whose subscribers the router remembers; the oldest make room."""

    # ---- locks
    max_locks: _Count = 100_000
    """Locks that are held at once; one more is LIMIT_EXCEEDED."""
    max_lock_waiters: _Count = 10_000
    """Clients that wait for one lock; one more is LIMIT_EXCEEDED."""
    max_lock_bytes: _Count = 4 * KIB
    """The metadata of a lock; more is MESSAGE_TOO_LARGE."""

    # ---- tasks
    max_tasks: _Count = 100_000
    """Tasks that have not ended; one more is LIMIT_EXCEEDED."""
    max_tasks_bytes: _Count = 256 * MIB
    """Payloads, metadata, results, errors and messages of all tasks; a submit over it is LIMIT_EXCEEDED, and ended
    tasks make room."""
    max_task_bytes: _Count = 256 * KIB
    """A task's payload with its metadata, a result, or the data of a message; more is MESSAGE_TOO_LARGE."""
    max_ended_tasks: _Count = 10_000
    """Ended tasks that are kept to be looked at; the ones that ended first make room."""
    ended_task_age_ms: _Count | None = 86_400_000
    """The same in time."""
    max_queues: _Count = 1_000
    """Queues that hold a task or are paused; one more is LIMIT_EXCEEDED."""
    max_projects: _Count = 1_000
    """Projects; one more is LIMIT_EXCEEDED."""
    max_project_bytes: _Count = 64 * KIB
    """The config of a project; more is MESSAGE_TOO_LARGE."""

    # ---- operators
    tail_lines: _Count = 2_000
    """Lines of its own log that the broker remembers for `logs.tail`; the oldest make room."""
    tail_bytes: _Count = 512 * KIB
    """The same in bytes."""
    max_tails: _Count = 32
    """Callers that follow the log at once; one more is LIMIT_EXCEEDED."""
    sample_ms: _Positive = 5_000
    """How often the broker notes its counters, for `metrics.get` to tell rates."""
    samples: _Positive = 721
    """How many such notes it keeps; a period that goes further back is answered as far as they reach."""

    # ---- registry
    max_registrations: _Count = 100_000
    """Beings in the registry; one more is LIMIT_EXCEEDED."""
    max_registrations_per_client: _Count = 1_000
    """Beings that one client has registered; one more is LIMIT_EXCEEDED."""
    max_being_bytes: _Count = 16 * KIB
    """The metadata of a being, or the data of its last will; more is MESSAGE_TOO_LARGE."""
    max_watched_processes: _Count = 1_000
    """Processes of lost connections whose end is waited for; with more, the one lost longest ago is not any more."""

    # ---- swarms
    max_proposals: _Count = 10_000
    """Proposals that are open at once, and decisions; one more is LIMIT_EXCEEDED."""
    max_votes: _Count = 10_000
    """Voters of a proposal or a decision; one more is LIMIT_EXCEEDED, a longer list of voters INVALID_MESSAGE."""
    max_proposal_bytes: _Count = 64 * KIB
    """A proposal, or a question with its options; more is MESSAGE_TOO_LARGE."""
    max_ended_proposals: _Count = 1_000
    """Proposals that have ended and can be looked at, and decisions; the ones that ended first make room."""
    max_deadline_ms: _Count = 2_592_000_000
    """The longest deadline of a proposal or a decision (30 days); more is INVALID_MESSAGE."""


class RateLimit(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A token bucket: `rate` a second on the long run, `burst` at once (None: one second's worth)."""

    rate: _Seconds
    burst: _Seconds | None = None


class Rates(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rate limits, each None where there is none. What is over one is RATE_LIMIT_EXCEEDED with `retry_after_ms`."""

    client_messages: RateLimit | None = None
    """Messages of one connection. Pings are free; unsubscribe, cancel and auth are charged, never refused."""
    client_bytes: RateLimit | None = None
    """Bytes of one connection, charged alike."""
    subject_messages: RateLimit | None = None
    """Messages of all connections of one subject together."""
    subject_bytes: RateLimit | None = None
    """Bytes of all connections of one subject together."""
    topics: dict[str, RateLimit] = {}
    """Publishes on all topics that a pattern matches, by whomever; the first pattern that matches counts."""
    failed_logins: RateLimit | None = RateLimit(rate=1.0, burst=20.0)
    """Refused logins from one address; beyond it every login from there is refused unread for a while."""
