"""Tasks: submitted, claimed, and ended."""

__all__: list[str] = []
