"""The GraphQL surface, asked straight: one file per operation or subject."""
