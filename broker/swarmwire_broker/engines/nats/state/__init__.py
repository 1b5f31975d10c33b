"""The state on NATS: one journal of changes, folded into keys and values."""

__all__: list[str] = []
