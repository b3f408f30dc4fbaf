"""The scanners, and the names and neighbours that this machine knows."""
