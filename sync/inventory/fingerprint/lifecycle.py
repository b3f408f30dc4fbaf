"""Tables of the end of support of systems other than Windows, from their makers or from endoflife.date.

Apple and Google publish no such days: a release counts as ended when its security fixes ended. A release that is not
in a table has no known end. To add one, add its row and set `checked`.
"""

from __future__ import annotations

from sync.inventory.fingerprint.fact import FactTable

# (product, release) → (last day of support, last day of extended support that costs nothing more).
Lifecycle = FactTable[tuple[str, str], tuple[str, str | None]]


def _of(product: str, source: str, checked: str, ends: dict[str, str]) -> Lifecycle:
    rows: dict[tuple[str, str], tuple[str, str | None]] = {(product, name): (day, None) for name, day in ends.items()}
    return FactTable((source,), checked, rows)


MACOS = _of(
    "macOS",
    "https://endoflife.date/macos",
    "2026-09-16",
    {
        "10.9": "2016-12-01", "10.10": "2017-08-01", "10.11": "2018-12-01", "10.12": "2019-10-01",
        "10.13": "2020-12-01", "10.14": "2021-10-25", "10.15": "2022-09-12", "11": "2023-09-26", "12": "2024-09-16",
        "13": "2025-09-15", "14": "2026-09-14",
    },
)  # fmt: skip
# In May 2026 the page said that releases from 15 on still get fixes; the ends of earlier releases do not change.
IOS = _of(
    "iOS",
    "https://endoflife.date/ios",
    "2026-05-21",
    {
        "5": "2012-11-01", "6": "2013-09-26", "7": "2014-10-20", "8": "2015-09-30", "9": "2016-09-13",
        "10": "2017-09-26", "11": "2018-10-08", "13": "2020-09-16", "14": "2021-10-01",
    },
)  # fmt: skip
IPADOS = _of(
    "iPadOS",
    "https://endoflife.date/ipados",
    "2026-09-16",
    {"13": "2020-09-16", "14": "2021-10-01"},
)
ANDROID = _of(
    "Android",
    "https://endoflife.date/android",
    "2026-06-16",
    {
        "5": "2018-03-01", "6": "2018-08-01", "7": "2019-10-01", "8": "2021-01-01", "9": "2022-01-01",
        "10": "2023-03-06", "11": "2024-02-05", "12": "2025-03-03", "13": "2026-03-02",
    },
)  # fmt: skip
UBUNTU = _of(
    "Ubuntu Linux",
    "https://endoflife.date/ubuntu",
    "2026-08-25",
    {
        "14.04": "2019-04-02", "16.04": "2021-04-02", "18.04": "2023-05-31", "20.04": "2025-05-31",
        "22.04": "2027-06-01", "22.10": "2023-07-20", "23.04": "2024-01-20", "23.10": "2024-07-12",
        "24.04": "2029-05-31", "24.10": "2025-07-10", "25.04": "2026-01-17", "25.10": "2026-07-09",
        "26.04": "2031-05-29",
    },
)  # fmt: skip
LIFECYCLES = (MACOS, IOS, IPADOS, ANDROID, UBUNTU)
ENDS = {key: days for table in LIFECYCLES for key, days in table.rows.items()}
