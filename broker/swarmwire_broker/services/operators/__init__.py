"""What operators ask of a broker: how it is, what it logs, that it stops."""

__all__: list[str] = []
