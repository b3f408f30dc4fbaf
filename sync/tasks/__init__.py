"""Tasks, their runs and the engine that executes them."""
