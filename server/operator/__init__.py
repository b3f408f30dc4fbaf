"""What the command line asks of the process that holds the database, and the socket it asks through."""
