"""The broker without any I/O: time, sockets and logins come in by `ports`.

hub        ties everything together, and is what embedders hold
session    one client's conversation; login, requests, subscriptions and publishing are its chapters
delivery   from the log to the outboxes, once a turn of the loop; `turn` is what came together in it
outbox     the two lanes to one client; reader and catchup bring a position up to the head of the log
router     which receivers a topic reaches
"""

__all__: list[str] = []
