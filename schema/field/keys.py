"""The keys that one row is looked up by: columns, and what an asset's names, MAC addresses and devices tell."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, and_, func, select
from strawberry.utils.str_converters import to_camel_case

from schema.field.registry import NOUNS
from schema.field.resolution import LookupKey
from schema.field.rows import parameter
from sync.store.statement.function import folded
from sync.store.statement.text import folded_of
from sync.store.tables import assets, devices, directories, objects
from sync.store.tables.column import key_of as key_of_text

# In a list of the asset: key → the list's column.
_LISTED = {"hostname": assets.c.names, "mac": assets.c.macs}
_SEPARATOR, _MAC = re.compile("[-:.]"), re.compile("[0-9a-f]{12}")


@cache
def key_of(target: str, name: str) -> LookupKey:
    """Return a noun's key, always the same object, so that a statement compiled for it is found again."""
    noun = NOUNS[target]
    if target == "Asset" and name in _LISTED:
        return LookupKey(name, _has(_LISTED[name]))
    if target == "Asset" and name == "external_id":
        return LookupKey("externalId", assets.c.id.in_(_assets_of_device()))
    column = noun.key if name == "id" else noun.fields[name].column
    value = parameter("value", column.type)
    return LookupKey(to_camel_case(name), column == value if name == "id" else _is(column, value))


def written(name: str, value: str) -> str:
    """Bring the value of a key into the form that it is compared in."""
    value = folded(value)
    if name == "mac" and _MAC.fullmatch(digits := _SEPARATOR.sub("", value)):
        return ":".join(digits[at : at + 2] for at in range(0, 12, 2))
    return value


def _is(column: ColumnElement[Any], value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Compile "the text is this folded one", by the index of its sort key if there is one."""
    is_equal = folded_of(column) == value
    return is_equal if (key := key_of_text(column)) is None else and_(key == func.sort_key(value), is_equal)


def _has(column: ColumnElement[list[str]]) -> ColumnElement[bool]:
    elements = func.json_each(column).table_valued("value", name="element")
    return elements.select().where(func.fold(elements.c.value) == parameter("value", Text())).exists()


def _assets_of_device() -> Select[tuple[int | None]]:
    """Select the asset of the device with an object id, by the index that every object has."""
    same = (objects.c.directory_id == directories.c.id) & (objects.c.external_id == parameter("value", Text()))
    found = select(devices.c.asset_id).select_from(directories).join(objects, same)
    return found.join(devices, devices.c.id == objects.c.id).where(devices.c.deleted_at.is_(None))
