"""The steps from one schema to the next; never changed once released."""
