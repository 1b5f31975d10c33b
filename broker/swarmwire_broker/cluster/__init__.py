"""Many brokers as one: who is there, who answers for all, and how calls and events get from one to another."""

__all__: list[str] = []
