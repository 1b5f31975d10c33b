"""The ways in. Each brings the core a sink for every client and the messages that came from it."""

__all__: list[str] = []
