"""Search terms with their meaning in plain Python: what answers are compared with; knows nothing of SQL or Expr."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from schema.field.registry import NOUNS, Field, FieldKind
from sync.clock import SystemClock, timestamp
from tests.api.derived import COUNTED, FLAGS, KNOWN_BY, NAMED, TEXTS, TIMES, along
from tests.api.links import Links
from tests.api.lists import id_of, value_of, version
from tests.api.predicate import COUNTS, inside
from tests.api.text import fold
from tests.api.world import Row

Holds = Callable[[Row], bool]
ORDERS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte", "=": "eq", "": "eq"}
SPANS = {"12h": timedelta(hours=12), "300days": timedelta(days=300), "2 years": timedelta(days=730)}
SPANS |= {"40 Weeks": timedelta(days=280), "1000y": timedelta(days=365_000), "1mo": timedelta(days=30)}
# Of scans: keyword → the protocol it is about.
PORTS = {
    "port": None, "tcp_port": "tcp", "udp_port": "udp", "tcp": "tcp", "UDP": "udp", "service.port": None,
    "_service.Port": None, "_asset.port": None,
}  # fmt: skip


class Terms:
    """Invents terms about the rows of one inventory; the same chance gives the same terms."""

    def __init__(self, noun: str, links: Links, chance: random.Random) -> None:
        self.noun, self.links, self.chance = noun, links, chance
        self.now = SystemClock().now()

    def term(self) -> tuple[str, Holds]:
        """Return a term and what it means."""
        kind = self.chance.random()
        if kind < 0.15 and self.noun in NAMED:
            return self._named()
        if kind < 0.22 and self.noun in COUNTED:
            return self._counted()
        if kind < 0.26 and self.noun in FLAGS:
            return self._flagged()
        if kind < 0.29 and self.noun in TEXTS:
            return self._gathered()
        if kind < 0.3 and self.noun in TIMES:
            return self._timed()
        if kind < 0.32:
            return self._word()
        if kind < 0.4 and self.noun == "Asset":
            return self._scanned()
        fields = [field for field in NOUNS[self.noun].fields.values() if field.is_filterable and self._is_plain(field)]
        field = self.chance.choice(fields)
        if field.kind in (FieldKind.TEXT, FieldKind.LIST) and self.chance.random() < 0.15:
            return self._listed(field)
        if kind < 0.4:
            return f"has:{self._spelling(field)}", lambda row: not _is_missing(field, self._value(field, row))
        if kind < 0.46:
            return f"{self._spelling(field)}:=", lambda row: _is_missing(field, self._value(field, row))
        text, holds = self._about(field)
        return f"{self._spelling(field)}:{text}", lambda row: holds(self._value(field, row))

    def _listed(self, field: Field) -> tuple[str, Holds]:
        """Return a term with a list of values, of which any may hold."""
        found = [self._text(field) for _ in range(self.chance.randrange(2, 4))]
        sign = self.chance.choice(["", "="])
        parts = [(text.removeprefix("="), holds) for text, holds in found if text.startswith("=") is (sign == "=")]
        if not parts:
            return "has:id", lambda _: True
        text = ",".join(text for text, _ in parts)
        return f"{self._spelling(field)}:{sign}{text}", lambda row: any(
            holds(self._value(field, row)) for _, holds in parts
        )

    def _is_plain(self, field: Field) -> bool:
        """Leave out fields whose keyword means something of its own: aliases of sources, ids of a directory."""
        if field.keyword in TEXTS.get(self.noun, ()):
            return False
        return field.keyword not in ("source", "status") or self.noun == "TaskRun"

    def _spelling(self, field: Field) -> str:
        name = self.chance.choice([field.keyword, field.keyword.upper(), field.keyword.replace("_", "")])
        return name if field.kind is not FieldKind.ID else "id"

    def _value(self, field: Field, row: Row) -> Any:
        return id_of(self.noun, row) if field.kind is FieldKind.ID else value_of(field, row)

    def _about(self, field: Field) -> tuple[str, Callable[[Any], bool]]:
        if field.kind is FieldKind.ID:
            wanted = id_of(self.noun, self._row())
            return wanted, lambda found: found == wanted
        if field.kind is FieldKind.BOOL:
            yes, word = self.chance.choice([(True, "t"), (True, "YES"), (False, "=0"), (False, "false")])
            return word, lambda found: found is yes
        if field.kind is FieldKind.ENUM:
            assert field.enum is not None
            member = self.chance.choice(list(field.enum)).value
            return member.lower().replace("_", "-"), lambda found: found == member
        if field.kind is FieldKind.INT:
            sign, number = self.chance.choice(list(ORDERS)), self.chance.randrange(-1, 4)
            return f"{sign}{number}", lambda found: found is not None and COUNTS[ORDERS[sign]](found, number)
        if field.kind is FieldKind.TIME:
            return self._time(self._value(field, self._row()))
        if field.kind is FieldKind.VERSION and self.chance.random() < 0.5:
            sign, wanted = self.chance.choice(["<", "<=", ">", ">="]), self.chance.choice(["10", "9.0.0", "10.0.19045"])
            return sign + wanted, lambda found: _ordered(ORDERS[sign], version(found), version(wanted))
        if field.kind is FieldKind.ADDRESSES and self.chance.random() < 0.5:
            network = self.chance.choice(["10.0.0.0/8", "10.1.2.3", "::/0"])
            return f'"{network}"', lambda found: any(inside(one, network) for one in found or [])
        return self._text(field)

    def _time(self, stored: str | None) -> tuple[str, Callable[[Any], bool]]:
        """Return a condition on a time, near one that is stored, and what it means."""
        choice = self.chance.randrange(5)
        if choice == 0:
            return "0", lambda found: found is None
        if choice == 1:
            sign = self.chance.choice("<>")
            now = timestamp(self.now)
            return f"{sign}now", lambda found: found is not None and (found < now if sign == "<" else found > now)
        if choice == 2:
            sign, (word, span) = self.chance.choice("<>"), self.chance.choice(list(SPANS.items()))
            return (
                f'{sign}"{word}"',
                lambda found: found is not None and _is_within(found, self.now, span) is (sign == "<"),
            )
        sign = self.chance.choice(list(ORDERS))
        moment = stored or "2026-11-23T04:05:06.123Z"
        day = moment[:10]
        if choice == 3:
            written = f'"{int(day[5:7])}/{int(day[8:])}/{day[:4]}"' if self.chance.random() < 0.5 else day
            midnight = f"{day}T00:00:00.000Z"
            if sign in ("", "="):
                return sign + written, lambda found: found is not None and found[:10] == day
            return sign + written, lambda found: _ordered(ORDERS[sign], found, midnight)
        if sign in ("", "="):
            end = timestamp(datetime.fromisoformat(moment) + timedelta(seconds=1)).zfill(24)
            return f"{sign}{moment}", lambda found: found is not None and moment <= found < end
        return f"{sign}{moment}", lambda found: _ordered(ORDERS[sign], found, moment)

    def _text(self, field: Field | None) -> tuple[str, Callable[[Any], bool]]:
        """Return a text in some writing, and whether a value or one of a list is such."""
        stored = [self._value(field, self._row()) for _ in range(3)] if field else []
        texts = [one for value in stored for one in (value if isinstance(value, list) else [value]) if one]
        probe = self.chance.choice([*texts, "a", "%", "_", "alpha", "SS", "@", ".", "\\", '"'])
        return self._writing(probe, can_be_whole=field is not None)

    def _writing(self, probe: str, *, can_be_whole: bool) -> tuple[str, Callable[[Any], bool]]:
        """Return a part of a text in some writing, and whether a value or one of a list has it."""
        start = self.chance.randrange(len(probe))
        part = self.chance.choice([probe, probe[start:], probe[: start + 1], probe.swapcase()])
        is_whole = can_be_whole and self.chance.random() < 0.3
        pieces = [(char, self.chance.random() < 0.08) for char in part]
        written, pattern, run = "", "", ""
        for char, becomes_wild in pieces:
            if becomes_wild:
                wild = self.chance.choice("%_")
                pattern += re.escape(fold(run)) + (".*" if wild == "%" else ".")
                written, run = written + wild, ""
            else:
                written += f"\\{char}" if char in '%_\\"' or self.chance.random() < 0.1 else char
                run += char
        expression = re.compile(pattern + re.escape(fold(run)), re.DOTALL)
        match = expression.fullmatch if is_whole else expression.search
        quoted = f'"{written}"' if written[0] not in "=<>" else f'"\\{written}"'
        return ("=" if is_whole else "") + quoted, lambda found: any(match(fold(one)) for one in _each(found))

    def _word(self) -> tuple[str, Holds]:
        fields = [field for field in NOUNS[self.noun].fields.values() if field.is_text]
        text, holds = self._text(None)
        if not fields or text == '"10.0.0.0/8"':
            return "has:id", lambda _: True
        return text, lambda row: any(holds(self._value(field, row)) for field in fields) or holds(self._errors(row))

    def _errors(self, row: Row) -> list[str]:
        """Return what went wrong in a task's latest run; nothing for what is no task."""
        ran = self.links.related("Task", "last_run", row) if self.noun == "Task" else []
        return [text for run in ran for error in run["errors"] for text in error.values() if isinstance(text, str)]

    def _scanned(self) -> tuple[str, Holds]:
        """Return a term on the services that scans found."""
        if self.chance.random() < 0.5:
            return self._spoken()
        keyword, protocol = self.chance.choice(list(PORTS.items()))
        sign, number = self.chance.choice(list(ORDERS)), self.chance.choice([2, 3, 443])

        def ports(row: Row) -> set[tuple[str, int]]:
            services = [one for scan in self.links.related("Asset", "scan", row) for one in scan["services"]]
            return {(one["protocol"], one["port"]) for one in services if protocol in (None, one["protocol"])}

        if self.chance.random() < 0.2:
            return f"has:{keyword}", lambda row: bool(ports(row))
        return f"{keyword}:{sign}{number}", lambda row: any(
            COUNTS[ORDERS[sign]](found, number) for _, found in ports(row)
        )

    def _spoken(self) -> tuple[str, Holds]:
        """Return a term on what is spoken at those ports, and over what."""
        name = self.chance.choice(["protocols", "protocol"])
        keyword = {"protocols": "protocol", "protocol": "transport"}[name]
        keyword = self.chance.choice(["", "service.", "_service.", "_asset.", "_asset.service."]) + keyword

        def told(row: Row) -> list[str]:
            services = [one for scan in self.links.related("Asset", "scan", row) for one in scan["services"]]
            found = [one.get(name) or [] for one in services]
            return [text for one in found for text in (one if isinstance(one, list) else [one])]

        if self.chance.random() < 0.3:
            return f"has:{keyword}", lambda row: bool(told(row))
        if self.chance.random() < 0.2:
            return f"{keyword}:=", lambda row: not told(row)
        words = {"protocols": ["http", "TLS", "t", "ssh"], "protocol": ["tcp", "UDP"]}
        word = self.chance.choice(words[name])
        return f"{keyword}:{word}", lambda row: any(fold(word) in fold(text) for text in told(row))

    def _flagged(self) -> tuple[str, Holds]:
        """Return a term of a keyword that is yes or no."""
        keyword, flag = self.chance.choice(list(FLAGS[self.noun].items()))
        word = self.chance.choice(["t", "no"])
        return f"{keyword}:{word}", lambda row: flag(self.links, row) is (word == "t")

    def _gathered(self) -> tuple[str, Holds]:
        """Return a term of a keyword that looks at texts from several places."""
        keyword, texts = self.chance.choice(list(TEXTS[self.noun].items()))

        def told(row: Row) -> list[str]:
            return [text for one in texts(self.links, row) for text in _each(one) if text]

        if self.chance.random() < 0.2:
            return f"has:{keyword}", lambda row: bool(told(row))
        if self.chance.random() < 0.2:
            return f"{keyword}:=", lambda row: not told(row)
        stored = [text for _ in range(3) for text in told(self._row())]
        text, holds = self._writing(self.chance.choice([*stored, "a", "ss", "%"]), can_be_whole=True)
        return f"{keyword}:{text}", lambda row: holds(told(row))

    def _named(self) -> tuple[str, Holds]:
        keyword, ways = self.chance.choice(list(NAMED[self.noun].items()))

        def others(row: Row) -> list[tuple[str, Row]]:
            return [found for way in ways for found in along(self.links, self.noun, way, row)]

        def known(row: Row) -> list[Any]:
            """List the values that the rows that it leads to are known by."""
            return [other[column] for target, other in others(row) for column in KNOWN_BY.get(target, ("name",))]

        if self.chance.random() < 0.3:
            return f"has:{keyword}", lambda row: bool(others(row))
        if self.chance.random() < 0.2:
            return f"{keyword}:=", lambda row: not others(row)
        text, holds = self._text(None)
        return f"{keyword}:{text}", lambda row: any(map(holds, known(row)))

    def _counted(self) -> tuple[str, Holds]:
        keyword, ways = self.chance.choice(list(COUNTED[self.noun].items()))
        sign, number = self.chance.choice(list(ORDERS)), self.chance.randrange(4)

        def others(row: Row) -> set[tuple[str, int]]:
            return {(target, other["id"]) for way in ways for target, other in along(self.links, self.noun, way, row)}

        return f"{keyword}:{sign}{number}", lambda row: COUNTS[ORDERS[sign]](len(others(row)), number)

    def _timed(self) -> tuple[str, Holds]:
        """Return a term on a time that another row has."""
        keyword, told = self.chance.choice(list(TIMES[self.noun].items()))
        if self.chance.random() < 0.2:
            return f"has:{keyword}", lambda row: told(self.links, row) is not None
        text, holds = self._time(told(self.links, self._row()))
        return f"{keyword}:{text}", lambda row: holds(told(self.links, row))

    def _row(self) -> Row:
        rows: Sequence[Row] = list(self.links.rows[self.noun].values())
        return self.chance.choice(rows)


def _each(found: Any) -> list[str]:
    return [] if found is None else found if isinstance(found, list) else [found]


def _is_missing(field: Field, found: Any) -> bool:
    return found is None or (found in ("", []) and field.kind is not FieldKind.INT)


def _is_within(found: str, now: datetime, span: timedelta) -> bool:
    return timestamp(now - span) < found < timestamp(now + span)


def _ordered(order: str, found: Any, wanted: Any) -> bool:
    return found is not None and COUNTS[order](found, wanted)
