"""Running an operation by the executor of graphql-core: in turns, and counted while it is built."""
