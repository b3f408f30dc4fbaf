"""How a field is declared, where its value comes from, and what its type and arguments are."""
