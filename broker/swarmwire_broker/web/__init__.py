"""The broker over plain HTTP: publish, call, server-sent events, history. `docs/http.md` is what it keeps to."""

from .routes import web_routes

__all__ = ["web_routes"]
