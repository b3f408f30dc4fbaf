"""GraphQL over HTTP: request bytes to operation to response bytes; knows nothing of the inventory's types."""
