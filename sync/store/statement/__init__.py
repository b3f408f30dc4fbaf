"""Parts of SQL statements: lists of values, rows in bulk, the forms of texts, JSON numbers."""
