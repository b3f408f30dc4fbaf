"""Syncs Microsoft Graph into the store: the Entra client, the inventory, tasks and secrets.

Never imports strawberry, starlette, schema/ or server/.
"""
