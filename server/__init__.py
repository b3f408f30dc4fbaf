"""HTTP, identity, process: serves what schema describes and sync fills; the only package that reads the environment."""
