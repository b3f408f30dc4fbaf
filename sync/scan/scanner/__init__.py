"""The scanners, and what this machine knows of its network."""
