"""Signs in to Entra ID through MSAL, and checks the tokens of callers."""
