"""The demo: the whole product on a simulated tenant, with real processes, sign-in, TLS and GraphQL."""
