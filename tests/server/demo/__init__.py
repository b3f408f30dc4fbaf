"""The demo as a person runs it, and the documents' examples against it."""
