"""Keywords: the vocabulary of each inventory, from the registry and beyond it, and what is known but not answered."""
