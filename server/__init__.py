"""HTTP, identity and process: serves the schema over the synced inventory. Only this package reads the environment."""
