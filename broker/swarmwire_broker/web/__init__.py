"""The broker over plain HTTP: publish, call, server-sent events, history (`docs/http.md`), and files for browsers."""

from .routes import web_routes

__all__ = ["web_routes"]
