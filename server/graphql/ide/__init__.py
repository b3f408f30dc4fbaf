"""GraphiQL, served from the files of this folder."""
