"""What lies further back in the log on NATS than the newest events that are held here."""

__all__: list[str] = []
