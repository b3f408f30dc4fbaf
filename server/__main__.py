"""`python -m server` is `rollcall`."""

from server.cli import main

main(prog_name="rollcall")
