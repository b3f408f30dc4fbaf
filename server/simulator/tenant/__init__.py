"""The simulated directory: its objects, how they are drawn, and how they change."""
