"""The Entra ID and Graph client: signs in and reads pages; never writes to a directory or a store."""
