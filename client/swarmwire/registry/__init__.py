"""Being there for others to see, and seeing who is there."""

__all__: list[str] = []
