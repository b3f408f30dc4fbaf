"""Reading Microsoft Graph: requests, retries, limits, pages."""
