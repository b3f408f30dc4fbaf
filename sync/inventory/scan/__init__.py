"""From what scans find to scan records of assets."""
