"""The search language: filters as text, for people and saved queries; see docs/search.md."""

from schema.search.meaning import Searched, parse_search, read_search
from schema.search.parser import NESTING_MAX, TERMS_MAX
from schema.search.token import CHARS_MAX

__all__ = ["CHARS_MAX", "NESTING_MAX", "TERMS_MAX", "Searched", "parse_search", "read_search"]
