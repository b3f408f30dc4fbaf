"""Commands that run in the process that holds the database, and the control socket that carries them."""
