"""The keywords of each inventory: those of fields, derived ones, and those of other products that have no data here."""
