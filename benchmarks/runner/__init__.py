"""`make bench`: Swarmwire beside what a user would pick instead, in one run on one machine."""

__all__: list[str] = []
