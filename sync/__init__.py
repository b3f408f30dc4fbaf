"""From Microsoft Graph to rows: the store, the Entra client, the inventory, tasks and secrets.

Never imports strawberry or starlette, nor anything of schema/ or server/.
"""
