"""`python -m server` is `rollcall`."""

from server.command.cli import main

main(prog_name="rollcall")
