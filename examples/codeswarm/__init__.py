"""The example `code_swarm`: a watcher and worker processes that read code and report through Swarmwire."""

__all__: list[str] = []
