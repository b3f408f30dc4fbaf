"""Builds the schema from nouns, generated types and roots."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.field.registry import NOUNS
from schema.field.scalars import SCALARS
from schema.filter.inputs import ends_input
from schema.generated import publish
from schema.list.aggregate import generate_group_by
from schema.list.connection import generate, generate_connection
from schema.types import Asset, DirectoryObject, Group, GroupOwner, User

Member = Annotated[
    Asset | DirectoryObject | Group | User,
    strawberry.union("Member", description="A member of a group."),
]


def build() -> strawberry.Schema:
    """Generate the derived types of every noun and build the schema."""
    for noun in NOUNS.values():
        generate(noun)
    generate_connection("Member", Member)
    generate_connection("GroupOwner", GroupOwner)
    publish("EndsFilter", ends_input())
    generate_group_by()
    from schema.mutation import Mutation
    from schema.query import Query
    from schema.subscription import Subscription

    config = StrawberryConfig(scalar_map=SCALARS)
    return strawberry.Schema(query=Query, mutation=Mutation, subscription=Subscription, config=config)
