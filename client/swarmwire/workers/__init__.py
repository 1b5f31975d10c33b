"""Workers, and pools of processes that work."""

__all__: list[str] = []
