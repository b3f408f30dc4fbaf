"""GraphQL over HTTP: from request bytes to an operation to response bytes; imports no type of the inventory."""
