"""The simulator keeps Microsoft Graph's promises."""
