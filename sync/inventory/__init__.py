"""What the directory says becomes rows: pages are applied, vanished objects swept, devices linked to assets."""
