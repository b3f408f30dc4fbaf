"""Documents made to cost much and say little: each a short text that some part of a naive server multiplies."""

from __future__ import annotations

CHARS = 49_000
OPEN, CLOSE = "{", "}"


def doubling(levels: int, leaf: str = "__typename", *, alias: bool = False) -> str:
    """Return fragments that each spread the next one twice, or under two aliases of a field."""
    link = "a: site { ...F%d } b: site { ...F%d }" if alias else "...F%d ...F%d"
    parts = [
        f"fragment F{n} on {'Site' if alias else 'Query'} {OPEN} {link % (n + 1, n + 1)} }}" for n in range(levels)
    ]
    return "\n".join(["{ ...F0 }", *parts, f"fragment F{levels} on Query {OPEN} {leaf} }}"])


def chain(length: int, leaf: str = "__typename") -> str:
    """Return fragments that each spread the next one once."""
    parts = [f"fragment F{n} on Query {OPEN} ...F{n + 1} }}" for n in range(length)]
    return "\n".join(["{ ...F0 }", *parts, f"fragment F{length} on Query {OPEN} {leaf} }}"])


def names(number: int, length: int = 24) -> str:
    """Return names that no type has and that are as long as those that types have."""
    return " ".join(f"{'onPremisesSamAccountNames'[:length]}{n}x" for n in range(number))


def nodes(selections: str, field: str = "users", arguments: str = "") -> str:
    """Return a query of a list's nodes."""
    return f"{{ {field}{arguments} {{ nodes {{ {selections} }} }} }}"


def spread_everywhere(fragments: int, spreads: int) -> str:
    """Return fragments with conflicting looks, all spread into one selection set."""
    following = [f"...F{n + 1}" for n in range(fragments - 1)] + [""]
    parts = [f"fragment F{n} on User {OPEN} a{n}: id b: displayName {more} }}" for n, more in enumerate(following)]
    used = " ".join(f"...F{n % fragments}" for n in range(spreads))
    return "\n".join([nodes(used), *parts])


def wide(field: str, width: int, depth: int) -> str:
    fragments = [
        f"fragment F{n} on Site {OPEN} " + " ".join(f"a{i}: {field} {OPEN} ...F{n + 1} }}" for i in range(width)) + " }"
        for n in range(depth)
    ]
    return "\n".join(["{ ...F0 }", *fragments, f"fragment F{depth} on Site {OPEN} id }}"])


DOUBLING = {
    f"{kind} doubling {levels}": doubling(levels, leaf, alias=kind == "alias")
    for levels in (10, 14, 24, 33, 50, 64, 98)
    for kind, leaf in (("fragment", "__typename"), ("introspection", "__schema { types { name } }"), ("alias", ""))
}
CHAINS = {f"fragment chain {length}": chain(length) for length in (20, 39, 60, 200)}
FRAGMENTS = {
    "alias doubling in place": "{ " + "a: site { b: site { " * 40 + "id" + " } }" * 40 + " }",
    "ten aliases, eight deep": wide("site", 10, 8),
    "many chains": "{ " + "...F0 " * 600 + "}" + chain(38).partition("}")[2],
    "fragment cycle": "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
    "fragment in itself": "{ ...A } fragment A on Query { __typename ...A }",
    "two fragments of one name": "{ ...A } fragment A on Query { __typename } "
    + "fragment A on Query { "
    + "__typename " * 900
    + "}",
    "unknown fragment": "{ ...Nowhere }",
}
REPEATS = {
    "990 duplicate fields": "{ " + "__typename " * 990 + "}",
    "990 duplicate fields of a list": nodes("id " * 990),
    "duplicates below duplicates": "{ " + "users { nodes { id } } " * 200 + "}",
    "duplicates with arguments": "{ " + "users(first: 1) { nodes { id } } " * 120 + "}",
    "160 inline fragments": "{ " + "... { __typename } " * 160 + "}",
    "160 inline fragments of a type": nodes("... on User { id displayName } " * 160),
    "500 inline fragments": nodes("... on User { id } " * 390),
    "inline fragments inside each other": "{ " + "... { " * 150 + "__typename" + " }" * 150 + " }",
}
FLOODS = {
    "1,000 aliases": "{ " + " ".join(f"a{n}: __typename" for n in range(640)) + " }",
    "100 aliases of a list": "{ " + " ".join(f"a{n}: users {{ nodes {{ id }} }}" for n in range(100)) + " }",
    "directives on one field": "{ __typename " + "@skip(if: false) " * 280 + "}",
    "unknown directives": "{ __typename " + "@a " * 900 + "}",
    "directives everywhere": "{ " + " ".join(f"a{n}: __typename @include(if: true)" for n in range(200)) + " }",
    "directives on variables": "query(" + " ".join(f"$v{n}: Int @a @b" for n in range(150)) + ") { __typename }",
}
UNKNOWN = {
    "unknown fields at the root": "{ " + names(1_900, 16) + " }",
    "unknown fields of users": nodes(names(900)),
    "unknown long fields": nodes(" ".join("a" * 48 + str(n) for n in range(900))),
    "unknown arguments": "{ users(" + " ".join(f"whereOrderByFirst{n}: 1" for n in range(450)) + ") { totalCount } }",
    "unknown filters": nodes(
        "id", arguments="(where: { " + " ".join(f"onPremisesSamAccountNam{n}: 1" for n in range(450)) + " })"
    ),
    "unknown enum values": nodes(
        "id", arguments="(orderBy: [" + " ".join(f"{{ field: ON_PREMISES_DOMAIN_N{n} }}" for n in range(300)) + "])"
    ),
    "unknown types": "query(" + " ".join(f"$v{n}: AzureAdDeviceWher{n}" for n in range(450)) + ") { __typename }",
    "unknown types of fragments": "{ " + " ".join(f"... on AzureAdDevic{n} {{ id }}" for n in range(300)) + " }",
    "unknown variables": nodes("id", arguments="(where: { and: [" + " ".join(f"$v{n}" for n in range(900)) + "] })"),
    "unused variables": "query(" + " ".join(f"$v{n}: Int" for n in range(480)) + ") { __typename }",
}
LARGE = {
    "filters inside each other": nodes("id", arguments="(where: " + "{ not: " * 80 + "{}" + " }" * 80 + ")"),
    "filters side by side": nodes("id", arguments="(where: { and: [" + '{ city: { eq: "a" } } ' * 210 + "] })"),
    "a long list of values": nodes("id", arguments="(where: { city: { in: [" + '"a" ' * 1_900 + "] } })"),
    "twenty lists": "{ "
    + " ".join(f"a{n}: users {{ nodes {{ ...F }} }}" for n in range(20))
    + " } fragment F on User { "
    + " ".join(f"f{n}: id" for n in range(46))
    + " }",
    "fragments that overlap": spread_everywhere(30, 40),
    "fragments that overlap, flat": spread_everywhere(1, 300),
    "operations": " ".join(f"query Q{n} {{ __typename }}" for n in range(330)),
    "types instead of operations": " ".join(f"type T{n} {{ a: Int }}" for n in range(220)),
}
TEXTS = {
    "blanks": "{" + " " * CHARS + "__typename }",
    "newlines": "{" + "\n" * CHARS + "__typename }",
    "a long comment": "#" + "a" * CHARS + "\n{ __typename }",
    "comments": "#\n" * 1_999 + "{ __typename }",
    "a long string": f'{{ user(by: {{ id: "{"a" * CHARS}" }}) {{ id }} }}',
    "escapes": f'{{ user(by: {{ id: "{chr(92) + "n"}' + r"\n" * (CHARS // 2) + '" }) { id } }',
    "escaped characters": '{ user(by: { id: "' + r"\u0061" * (CHARS // 6) + '" }) { id } }',
    "a long block string": '{ user(by: { id: """' + "a\n" * (CHARS // 2) + '""" }) { id } }',
    "a long name": "{ " + "a" * CHARS + " }",
    "long names": nodes(" ".join("a" * 25 + str(n) for n in range(1_600))),
    "a long number": "{ users(first: " + "9" * CHARS + ") { totalCount } }",
    "a long fraction": "{ users(first: 1." + "9" * CHARS + ") { totalCount } }",
    "a body of 256 KiB": "{ __typename " + " " * 262_000 + "}",
    "open braces": "{ a" * 600,
    "open brackets": "{ users(where: " + "[" * 1_900,
    "types in brackets": "query($v: " + "[" * 300 + "Int" + "]" * 300 + ") { __typename }",
    "introspection inside itself": "{ __schema { types { " + "fields { type { " * 8 + "name" + " } }" * 8 + " } } }",
    "cost": "{ groups(first: 1000) { nodes { users(first: 1000) { nodes { id } } } } }",
    "1,000 tokens of everything": "{ "
    + 'users(first: 1, where: { city: { eq: "a" } }) @skip(if: false) { nodes { a: id } } ' * 40
    + "}",
}
BOMBS = DOUBLING | CHAINS | FRAGMENTS | REPEATS | FLOODS | UNKNOWN | LARGE | TEXTS
