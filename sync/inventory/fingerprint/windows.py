"""The table of Windows builds: the products of each build, and the end of their support.

To add a build, add its row, compare all rows with the pages, and set `checked` to that day.
"""

from __future__ import annotations

from dataclasses import dataclass

from sync.inventory.fingerprint.fact import FactTable

SERVER, CLIENT = "server", "client"
_PAGES = "https://learn.microsoft.com"
SOURCES = (
    f"{_PAGES}/windows/release-health/windows11-release-information",
    f"{_PAGES}/windows/release-health/release-information",
    f"{_PAGES}/windows/release-health/windows-server-release-info",
    f"{_PAGES}/lifecycle/products/",
)


@dataclass(frozen=True, slots=True)
class WindowsRelease:
    """A product of a build; each day is the last day of support, None if none is published or known.

    Args:
        kind: CLIENT or SERVER.
        product: such as `Windows 11`.
        release: such as `23H2`; None if the product has only one.
        eol: the end for Home and Pro of a client; else the end of mainstream support.
        extended: the end of extended support without extra cost; paid programmes do not count.
        enterprise: the end for Enterprise and Education of a client; None if it is `eol`.
        ltsc: the ends of mainstream and extended support of a client's long-term edition.
    """

    kind: str
    product: str
    release: str | None
    eol: str | None
    extended: str | None = None
    enterprise: str | None = None
    ltsc: tuple[str | None, str | None] | None = None


def _client(product: str, release: str, eol: str, enterprise: str | None = None) -> WindowsRelease:
    return WindowsRelease(CLIENT, product, release, eol, None, enterprise)


def _server(product: str, eol: str, extended: str | None = None, release: str | None = None) -> WindowsRelease:
    return WindowsRelease(SERVER, product, release, eol, extended)


def _long_term(
    product: str, release: str, eol: str, enterprise: str, ltsc: tuple[str | None, str | None]
) -> WindowsRelease:
    return WindowsRelease(CLIENT, product, release, eol, None, enterprise, ltsc)


_TEN, _ELEVEN, _CHANNEL = "Windows 10", "Windows 11", "Windows Server"
# Up to Windows 7 the days assume the last service pack.
_VISTA = WindowsRelease(CLIENT, "Windows Vista", None, "2012-04-10", "2017-04-11")
_SEVEN = WindowsRelease(CLIENT, "Windows 7", None, "2015-01-13", "2020-01-14")
_2008 = _server("Windows Server 2008", "2015-01-13", "2020-01-14")
_2008_R2 = _server("Windows Server 2008 R2", "2015-01-13", "2020-01-14")

WINDOWS: FactTable[str, tuple[WindowsRelease, ...]] = FactTable(
    SOURCES,
    "2026-09-29",
    {
        "6.0.6000": (_VISTA,),
        "6.0.6001": (_VISTA, _2008),
        "6.0.6002": (_VISTA, _2008),
        "6.0.6003": (_2008,),
        "6.1.7600": (_SEVEN, _2008_R2),
        "6.1.7601": (_SEVEN, _2008_R2),
        "6.2.9200": (
            WindowsRelease(CLIENT, "Windows 8", None, "2016-01-12"),
            _server("Windows Server 2012", "2018-10-09", "2023-10-10"),
        ),
        "6.3.9600": (
            WindowsRelease(CLIENT, "Windows 8.1", None, "2018-01-09", "2023-01-10"),
            _server("Windows Server 2012 R2", "2018-10-09", "2023-10-10"),
        ),
        "10.0.10240": (_long_term(_TEN, "1507", "2017-05-09", "2017-05-09", ("2020-10-13", "2025-10-14")),),
        "10.0.10586": (_client(_TEN, "1511", "2017-10-10"),),
        "10.0.14393": (
            _long_term(_TEN, "1607", "2018-04-10", "2019-04-09", ("2021-10-12", "2026-10-13")),
            _server("Windows Server 2016", "2022-01-11", "2027-01-12"),
        ),
        "10.0.15063": (_client(_TEN, "1703", "2018-10-09", "2019-10-08"),),
        "10.0.16299": (
            _client(_TEN, "1709", "2019-04-09", "2020-10-13"),
            _server(_CHANNEL, "2019-04-09", release="1709"),
        ),
        "10.0.17134": (
            _client(_TEN, "1803", "2019-11-12", "2021-05-11"),
            _server(_CHANNEL, "2019-11-12", release="1803"),
        ),
        # Windows Server, version 1809, has this build too and ended in 2020; nothing tells it apart.
        "10.0.17763": (
            _long_term(_TEN, "1809", "2020-11-10", "2021-05-11", ("2024-01-09", "2029-01-09")),
            _server("Windows Server 2019", "2024-01-09", "2029-01-09"),
        ),
        "10.0.18362": (_client(_TEN, "1903", "2020-12-08"), _server(_CHANNEL, "2020-12-08", release="1903")),
        "10.0.18363": (
            _client(_TEN, "1909", "2021-05-11", "2022-05-10"),
            _server(_CHANNEL, "2021-05-11", release="1909"),
        ),
        "10.0.19041": (_client(_TEN, "2004", "2021-12-14"), _server(_CHANNEL, "2021-12-14", release="2004")),
        "10.0.19042": (
            _client(_TEN, "20H2", "2022-05-10", "2023-05-09"),
            _server(_CHANNEL, "2022-08-09", release="20H2"),
        ),
        "10.0.19043": (_client(_TEN, "21H1", "2022-12-13"),),
        "10.0.19044": (_long_term(_TEN, "21H2", "2023-06-13", "2024-06-11", ("2027-01-12", None)),),
        "10.0.19045": (_client(_TEN, "22H2", "2025-10-14"),),
        "10.0.20348": (_server("Windows Server 2022", "2026-10-13", "2031-10-14"),),
        "10.0.22000": (_client(_ELEVEN, "21H2", "2023-10-10", "2024-10-08"),),
        "10.0.22621": (_client(_ELEVEN, "22H2", "2024-10-08", "2025-10-14"),),
        "10.0.22631": (_client(_ELEVEN, "23H2", "2025-11-11", "2026-11-10"),),
        "10.0.25398": (_server(_CHANNEL, "2025-04-24", "2025-10-24", "23H2"),),
        "10.0.26100": (
            _long_term(_ELEVEN, "24H2", "2026-10-13", "2027-10-12", ("2029-10-09", None)),
            _server("Windows Server 2025", "2029-11-13", "2034-11-14"),
        ),
        "10.0.26200": (_client(_ELEVEN, "25H2", "2027-10-12", "2028-10-10"),),
        "10.0.26300": (_client(_ELEVEN, "26H2", "2028-10-10", "2029-10-09"),),
        "10.0.28000": (_client(_ELEVEN, "26H1", "2028-03-14", "2029-03-13"),),
    },
)
