"""Where events live. `base` is the contract; `memory` keeps everything in this process."""

__all__: list[str] = []
