"""Tests of sync/entra: the Graph client and the sign-in, over ASGI and over real TLS on loopback."""
