"""GraphQL enums made of sync's own, each value with a description."""

from __future__ import annotations

import enum
from typing import Any, cast

import strawberry


def described(source: type[enum.StrEnum], name: str, description: str, **values: str) -> Any:
    """Make a GraphQL enum with the members of `source`.

    Args:
        values: member → what it means; a member without one is a mistake, and so is one too many.
    """
    if set(values) != set(source.__members__):
        raise TypeError(f"The descriptions of {name} do not fit its members.")
    members = {member: strawberry.enum_value(member, description=text) for member, text in values.items()}
    return strawberry.enum(cast(Any, enum.Enum(name, members)), name=name, description=description)
