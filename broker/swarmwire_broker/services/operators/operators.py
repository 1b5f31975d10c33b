"""What operators call: the services of this floor that look at the broker itself."""

from __future__ import annotations

from ...core.hub import Hub
from ..shared import Service
from .control import Control
from .daemon import Daemon
from .figures import Figures
from .health import Health
from .history import History
from .loglines import LogLines
from .membership import Membership

__all__ = ["operators"]


def operators(hub: Hub, control: Control, membership: Membership) -> list[Service]:
    """They come first: the log is kept from the beginning, and health looks at the others."""
    figures = Figures(hub)
    health = Health(hub, control, figures)
    health.add("cluster", membership.check)
    return [
        LogLines(lambda: hub.limits),
        figures,
        health,
        Daemon(hub, control, health, figures, membership),
        History(hub),
        membership,
    ]
