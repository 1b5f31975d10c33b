"""The way into the log on NATS: what is published and not acknowledged yet."""

__all__: list[str] = []
