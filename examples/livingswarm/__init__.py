"""The example `demo`: a broker, its dashboard, and a swarm that keeps all of its panels busy."""

__all__: list[str] = []
