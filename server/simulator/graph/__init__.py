"""Microsoft Graph: paths, queries, pages, delta and throttling."""
