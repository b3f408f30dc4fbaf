"""The `rollcall` command and its subcommands."""
