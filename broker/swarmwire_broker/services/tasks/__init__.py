"""Tasks, their queues and projects, and who works on them."""

__all__: list[str] = []
