"""The engine of many brokers: one log on NATS JetStream, which every broker follows by one consumer."""

__all__: list[str] = []
