"""What swarms vote on: proposals and decisions, counted by the broker."""

__all__: list[str] = []
