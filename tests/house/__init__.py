"""What must hold for the source, the documents and the lock files themselves."""
