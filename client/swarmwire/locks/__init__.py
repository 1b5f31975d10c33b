"""Locks of the broker, and of this machine."""

__all__: list[str] = []
