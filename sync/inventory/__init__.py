"""The inventory: pages of a directory become rows, vanished objects are swept, devices are linked to assets."""
