"""The inventory: writes the pages of a directory as rows, sweeps vanished objects, and links devices to assets."""
