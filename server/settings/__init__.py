"""Every setting: declared once, read from the environment, parsed."""

from server.settings.declared import Settings
from server.settings.read import outer_environment, read_settings

__all__ = ["Settings", "outer_environment", "read_settings"]
