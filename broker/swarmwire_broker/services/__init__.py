"""What the broker does besides publish and subscribe: built-in methods over the engine's state."""

__all__: list[str] = []
