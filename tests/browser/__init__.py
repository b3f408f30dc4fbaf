"""GraphiQL as a person meets it: the real server, a real Chromium."""
