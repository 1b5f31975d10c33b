"""Locks: leases with a line of those who wait."""

__all__: list[str] = []
