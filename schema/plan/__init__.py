"""Compiled plans: a document becomes one SQL statement a level and generated code for what is more than columns.

Rows of nothing but columns are written as JSON by the database; of the others the code makes dicts.
The executor stays the definition of what is right: a plan answers exactly as it would, or does not answer at all.
"""

from schema.plan.plans import AskedQuery, Plans
from schema.plan.response import Response

__all__ = ["AskedQuery", "Plans", "Response"]
