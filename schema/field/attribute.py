"""The attributes that a source gives, found by the source's own names: `@azuread.dev.trustType`."""

from __future__ import annotations

from functools import cache

from sqlalchemy import Column

from schema.field.registry import NOUNS, Field, FieldKind, Noun, Relation
from schema.suggestion import did_you_mean
from sync.errors import BadInput
from sync.inventory.asset.source import AZUREAD, SCAN

ALIASES = {
    **dict.fromkeys(("azuread", "azure_ad", "azure ad", "azure-ad", "azure active directory", "aad"), AZUREAD),
    **dict.fromkeys(("entra", "entraid", "entra_id", "entra id", "entra-id"), AZUREAD),
    **dict.fromkeys(("microsoft entra", "microsoft entra id"), AZUREAD),
    **dict.fromkeys(("scan", "runzero", "rumble"), SCAN),
}
# What other products call some properties of a device, the object's id aside.
_OTHER_NAMES = {
    "AzureAdDevice": {
        "id": "device_id",
        "azureId": "external_id",
        "alternativeSecurityId.keys": "alternative_security_id_keys",
        "alternativeSecurityId.types": "alternative_security_id_types",
        "match.criteria": "matched_by",
        "ts": "updated_at",
    }
}


def source_of(name: str, path: str) -> str:
    """Return the source that a caller names, by an alias or in any letter case.

    Raises:
        BadInput: there is no such source.
    """
    found = ALIASES.get(name.casefold())
    if found is None:
        hint = did_you_mean(name, set(ALIASES.values()), f"Sources: {', '.join(ALIASES)}.")
        raise BadInput(f"{path}: there is no source of that name.", hint=hint, path=path)
    return found


def attribute(noun: Noun, source: str, kind: str | None, name: str) -> tuple[Relation | None, Field] | None:
    """Find an attribute of a noun.

    Args:
        noun: whose attribute it is.
        source: the source's name or an alias, in any letter case.
        kind: what the source calls the record, such as `dev`, in any letter case; None for whichever has it.
        name: the source's name of the attribute, in any letter case; of times also with TS at its end.

    Returns:
        The relation that leads to the source's record, None if the noun is itself one, and the field there.
    """
    wanted, kind = ALIASES.get(source.casefold()), kind and kind.casefold()
    for relation in noun.relations.values():
        if relation.source is not None and relation.source[0] == wanted and kind in (None, relation.source[1]):
            if field := attributes(NOUNS[relation.target].name).get(folded(name)):
                return relation, field
    if wanted == AZUREAD and "external_id" in noun.fields and kind in (None, noun.prefix):
        if field := attributes(noun.name).get(folded(name)):
            return None, field
    return None


def attribute_names(noun: Noun, source: str) -> set[str]:
    """List what a source calls the attributes of a noun."""
    records = [NOUNS[way.target] for way in noun.relations.values() if way.source and way.source[0] == source]
    if "external_id" in noun.fields:
        records.append(noun)
    return {field.graphql_name for record in records for field in attributes(record.name).values()}


@cache
def attributes(noun: str) -> dict[str, Field]:
    """Return what can be asked of a source's record, by the source's names as `folded` writes them."""
    found: dict[str, Field] = {}
    for field in NOUNS[noun].filterable().values():
        if field.name in ("id", "external_id"):
            continue
        for spelling in {folded(name) for name in names_of(field)}:
            found[spelling] = field
            if field.kind is FieldKind.TIME:
                found[f"{spelling}ts"] = field
    if external := NOUNS[noun].fields.get("external_id"):
        found["id"] = external
    return found | {folded(name): NOUNS[noun].condition(field) for name, field in _OTHER_NAMES.get(noun, {}).items()}


def names_of(field: Field) -> list[str]:
    """List the names of a field: the source's, if it has one, and ours."""
    own = graph_name(field) if field.element is None else None
    return [name for name in (field.received_as or own, field.graphql_name) if name]


def graph_name(field: Field) -> str | None:
    """Return the Graph property that a field's column mirrors, if it is such a column."""
    return field.column.info.get("graph") if isinstance(field.column, Column) else None


def folded(name: str) -> str:
    """Return a source's name without what does not count: letter case, underscores, extension attributes' place."""
    return name.casefold().replace("_", "").removeprefix("extensionattributes.")
