"""The client without a broker, in memory, for tests."""

__all__: list[str] = []
