"""The whole product on a simulated tenant: real processes, real sign-in, real TLS, real GraphQL; no shortcut."""
