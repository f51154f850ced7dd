"""A calendar service: events, a month at a glance, health. `calendar_api:app` is the ASGI application."""

from calendar_api.application import app

__all__ = ["app"]
