"""The simulator passes for Microsoft Graph in the eyes of Microsoft's own SDK."""
