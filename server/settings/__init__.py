"""Every setting: declared once, read from the environment, parsed."""

from server.settings.settings import Settings, outer_environment, read_settings

__all__ = ["Settings", "outer_environment", "read_settings"]
