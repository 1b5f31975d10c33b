"""Who is there: beings with leases, epochs and last wills."""

__all__: list[str] = []
