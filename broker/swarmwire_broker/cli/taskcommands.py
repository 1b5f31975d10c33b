"""The commands of tasks, queues, workers and projects."""

from __future__ import annotations

from typing import Final

from .commands import DAY, PAGE, REASON, Column, Command, Facts, Group, Kind, Option, Sentence, Show, Table

__all__ = ["TASK_GROUPS"]

_TASK_ID: Final = Option("id", "The task.", required=True, metavar="TASK")
_TASK_NOW: Final = Sentence("{task.id} is {task.state}")
_TASK: Final = Facts(
    "task",
    (
        *((name, Show.AGO) for name in ("created_at", "claimed_at", "started_at", "ended_at", "not_before")),
        *((name, Show.SPAN) for name in ("backoff", "backoff_max", "lease", "timeout", "delay", "duration")),
        ("progress", Show.PERCENT),
    ),
)
_TASKS: Final = Group(
    "task",
    "Tasks: given out, watched, ended.",
    (
        Command(
            "list",
            "task.list",
            "List tasks, those that were submitted last at the end.",
            Table(
                "tasks",
                (
                    Column("ID", "id"),
                    Column("TYPE", "type"),
                    Column("QUEUE", "queue"),
                    Column("STATE", "state"),
                    Column("PROGRESS", "progress", Show.PERCENT),
                    Column("ATTEMPTS", "attempts"),
                    Column("WORKER", "worker"),
                    Column("SUBMITTED", "created_at", Show.AGO),
                ),
                ("count",),
                "no tasks",
            ),
            (
                Option("queue", "Of this queue only.", ("--queue", "-q")),
                Option("state", "pending, in-progress, completed, failed, cancelled or closed.", ("--state", "-s")),
                Option("project", "Of this project only.", ("--project",)),
                Option("worker", "Held by this worker only.", ("--worker",)),
                Option("type", "Of this type only.", ("--type",)),
                *PAGE,
            ),
        ),
        Command("show", "task.status", "Show all that is known of a task.", _TASK, (_TASK_ID,)),
        Command(
            "submit",
            "task.submit",
            "Submit a task, and print its id.",
            Sentence("{task.id}"),
            (
                Option("type", "What is to be done, as workers know it.", required=True),
                Option("payload", "JSON, or else text, for the worker; @FILE reads a file.", kind=Kind.VALUE),
                Option("queue", "The queue; that of the project, or `default`.", ("--queue", "-q")),
                Option("id", "A name for it: submitting it twice is one task.", ("--id",)),
                Option("priority", "Higher ones are done first.", ("--priority",), Kind.NUMBER),
                Option("delay", "Not before so long, such as 30s.", ("--delay",), Kind.DURATION),
                Option("max_attempts", "How often it is tried.", ("--max-attempts",), Kind.NUMBER),
                Option("backoff", "The wait before the second attempt; it doubles.", ("--backoff",), Kind.DURATION),
                Option("timeout", "The time that one attempt may take.", ("--attempt-timeout",), Kind.DURATION),
                Option("project", "The project that it belongs to.", ("--project",)),
                Option("metadata", "A JSON object to go with it.", ("--metadata",), Kind.JSON),
            ),
        ),
        Command(
            "wait",
            "task.wait",
            "Wait until a task has ended, and show it. Exits with 1 unless it was completed.",
            _TASK,
            (_TASK_ID,),
            timeout=DAY,
            is_bad=("task.state", ("failed", "cancelled", "closed")),
        ),
        Command("cancel", "task.cancel", "End a task; its worker is told.", _TASK_NOW, (_TASK_ID, REASON)),
        Command("close", "task.close", "Put a task away; `resume` takes it up again.", _TASK_NOW, (_TASK_ID, REASON)),
        Command("resume", "task.resume", "Take up a task that was closed.", _TASK_NOW, (_TASK_ID,)),
        Command(
            "retry",
            "task.retry",
            "Submit a task that has ended once more, and print the id of the new one.",
            Sentence("{task.id}"),
            (_TASK_ID,),
        ),
        Command(
            "message",
            "task.message",
            "Say something to a task.",
            Sentence("told {id}"),
            (
                _TASK_ID,
                Option("message", "What is said.", required=True),
                Option("data", "JSON, or else text, to go with it.", ("--data",), Kind.VALUE),
            ),
        ),
    ),
)

_QUEUE: Final = Option("queue", "The queue.", required=True)
_QUEUE_NOW: Final = Sentence("{name} is {status}")
_QUEUES: Final = Group(
    "queue",
    "Queues of tasks: how full they are, held and let go.",
    (
        Command(
            "status",
            "queue.status",
            "Count the tasks of every queue, or of one.",
            Table(
                "queues",
                (
                    Column("QUEUE", "name"),
                    Column("STATUS", "status"),
                    Column("HELD BY", "held_by"),
                    *(
                        Column(name.upper(), name)
                        for name in ("total", "pending", "running", "completed", "failed", "cancelled", "dead")
                    ),
                ),
                ("total", "pending", "running", "completed", "failed"),
                "no queues",
            ),
            (Option("queue", "This one only."),),
        ),
        Command("pause", "queue.pause", "Give out nothing more of a queue.", _QUEUE_NOW, (_QUEUE,)),
        Command("resume", "queue.resume", "Give out tasks of a queue again.", _QUEUE_NOW, (_QUEUE,)),
        Command("clear", "queue.clear", "Cancel every task that waits in a queue.", Sentence("{message}"), (_QUEUE,)),
        Command(
            "stats",
            "queue.stats",
            "Show what became of the tasks of a queue in the last while, and how long they took.",
            Facts(shows=(("since", Show.AGO), ("covered_ms", Show.SPAN))),
            (
                Option("queue", "This one only."),
                Option("period", "The while, such as 5m or 1h.", ("--period",), default="1h"),
            ),
        ),
    ),
)

_POOL: Final = Option("pool", "The pool; all of them where it is not named.", ("--pool",))
_WORKERS: Final = Group(
    "worker",
    "Workers and their pools.",
    (
        Command(
            "status",
            "worker.status",
            "List the workers that there are.",
            Table(
                "workers",
                (
                    Column("ID", "id"),
                    Column("POOL", "pool"),
                    Column("PROJECT", "project"),
                    Column("QUEUES", "queues"),
                    Column("PID", "pid"),
                    Column("STATE", "state"),
                    Column("TASKS", "tasks"),
                    Column("SINCE", "since", Show.AGO),
                ),
                ("total", "active", "idle", "suspect"),
                "no workers",
            ),
            (_POOL, Option("project", "Of this project only.", ("--project",))),
        ),
        Command(
            "scale",
            "worker.scale",
            "Have so many workers in a pool.",
            Facts(),
            (
                Option("count", "So many; 0 stops all.", kind=Kind.NUMBER, required=True),
                Option("pool", "The pool; it must be named where there are several.", ("--pool",)),
            ),
            timeout=300.0,
        ),
        Command(
            "restart",
            "worker.restart",
            "Start workers anew, one after the other.",
            Facts(),
            (Option("worker", "This one only."), _POOL),
            timeout=300.0,
        ),
    ),
)

_PROJECT_ID: Final = Option("id", "The project.", required=True, metavar="PROJECT")
_PROJECT_NOW: Final = Sentence("{project.id} is {project.state}")
_PROJECTS: Final = Group(
    "project",
    "Projects: what belongs together, started and stopped at once.",
    (
        Command(
            "list",
            "project.list",
            "List the projects.",
            Table(
                "projects",
                (
                    Column("ID", "id"),
                    Column("STATE", "state"),
                    Column("QUEUE", "queue"),
                    Column("PATH", "path"),
                    Column("ADDED", "created_at", Show.AGO),
                ),
                ("count",),
                "no projects",
            ),
            (Option("state", "In this state only.", ("--state", "-s")), *PAGE),
        ),
        Command(
            "add",
            "project.add",
            "Add a project.",
            _PROJECT_NOW,
            (
                Option("path", "Where it is.", required=True),
                Option("id", "Its name; made by the broker where it is not given.", ("--id",)),
                Option("queue", "The queue of its tasks.", ("--queue", "-q")),
                Option("config", "A JSON object for whoever works for it.", ("--config",), Kind.JSON),
            ),
        ),
        Command("remove", "project.remove", "Remove a project.", Sentence("removed {project.id}"), (_PROJECT_ID,)),
        Command(
            "status",
            "project.status",
            "Show a project and its queue.",
            Facts(shows=(("project.created_at", Show.AGO), ("project.changed_at", Show.AGO))),
            (_PROJECT_ID,),
        ),
        *(
            Command(name, f"project.{name}", sentence, _PROJECT_NOW, (_PROJECT_ID,), timeout=300.0)
            for name, sentence in (
                ("start", "Let a project's queue go, and run its workers."),
                ("stop", "Hold a project's queue, and stop its workers."),
                ("restart", "Stop a project and start it."),
            )
        ),
        Command(
            "update",
            "project.update",
            "Change what is known of a project.",
            _PROJECT_NOW,
            (
                _PROJECT_ID,
                Option("path", "Where it is.", ("--path",)),
                Option("queue", "The queue of its tasks.", ("--queue", "-q")),
                Option("config", "A JSON object in the place of the former.", ("--config",), Kind.JSON),
            ),
        ),
    ),
)

TASK_GROUPS: Final = (_TASKS, _QUEUES, _WORKERS, _PROJECTS)
