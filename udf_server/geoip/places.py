"""Places of IP addresses, from any files in MaxMind's format (.mmdb): country, city and network databases together.

MaxMind's own files and DB-IP's nest records (`country.iso_code`); ip-location-db, IPinfo and others are flat
(`country_code`). Both are read. Files are looked for in the GEOIP_DATABASE variable (files or folders, `:` between),
else in the folder `geoip` and the system's usual ones, and read again when they change.

None comes with us: they age. FETCH gets one that is free to use and to pass on (country; made of what the registries of
addresses publish), and the package `dbip-city-mmdb` of the same makers has cities (CC BY 4.0, DB-IP.com to be named).
"""

from __future__ import annotations

import math
import os
import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from udf_server.errors import ModelError

if TYPE_CHECKING:
    from maxminddb import Reader

VARIABLE: Final = "GEOIP_DATABASE"
USUAL: Final = ("geoip", "/usr/share/GeoIP", "/var/lib/GeoIP", "/usr/local/share/GeoIP")
FETCH: Final = "npm pack @ip-location-db/geo-whois-asn-country-mmdb"
LOOK_AGAIN: Final = 10.0  # seconds between looks for new files
# The reader takes what C's library does, `1.2.3` and octal numbers too; anything but this is parsed here first.
_PLAIN: Final = re.compile(r"(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}")
_CACHED: Final = 100_000  # addresses
_NOWHERE: Final = {
    "COUNTRY": None,
    "REGION": None,
    "CITY": None,
    "LATITUDE": None,
    "LONGITUDE": None,
    "ASN": None,
}


@dataclass(slots=True)
class _Open:
    reader: Reader
    stamp: tuple[int, int]


class Places:
    """Looks addresses up in every database there is; the first that knows a field gives it. Thread-safe."""

    def __init__(self, paths: Sequence[Path] | None = None) -> None:
        self._given = paths
        self._open: dict[Path, _Open] = {}
        self._cache: dict[str, dict[str, Any] | None] = {}
        self._readers: list[tuple[Reader, bool]] = []
        self._looked = -math.inf
        self._lock = threading.Lock()

    def look_up(self, addresses: Sequence[str]) -> list[dict[str, Any] | None]:
        """A place per address, fields None where unknown; None for what is no address. Raises ModelError without a
        database."""
        self._refresh()
        cache = self._cache
        out: list[dict[str, Any] | None] = []
        for address in addresses:
            if address in cache:
                out.append(cache[address])
                continue
            found = self._one(address)
            if len(cache) < _CACHED:
                cache[address] = found
            out.append(found)
        return out

    def names(self) -> list[str]:
        """Kinds of the open databases, such as GeoLite2-City."""
        self._refresh()
        return [o.reader.metadata().database_type for o in self._open.values()]

    def forget(self) -> None:
        """Drop remembered answers."""
        self._cache = {}

    def _one(self, text: str) -> dict[str, Any] | None:
        place: dict[str, Any] | None = None
        try:
            if not _PLAIN.fullmatch(text):
                address = ip_address(text.strip())
                text = str(getattr(address, "ipv4_mapped", None) or address)
            for reader, ipv4 in self._readers:
                if ipv4 and ":" in text:
                    continue
                record = reader.get(text)
                if isinstance(record, dict):
                    found = fields_of(record)
                    place = (
                        found
                        if place is None
                        else {k: found[k] if v is None else v for k, v in place.items()}
                    )
        except ValueError:
            return None
        return dict(_NOWHERE) if place is None else place

    def _refresh(self) -> None:
        if time.monotonic() - self._looked < LOOK_AGAIN:
            return
        with self._lock:
            if time.monotonic() - self._looked < LOOK_AGAIN:
                return
            self._reopen()
            self._looked = time.monotonic()

    def _reopen(self) -> None:
        import maxminddb

        paths = list(self._paths())
        if not paths:
            raise ModelError(
                f"GEOIP has no database: put a .mmdb file into the folder {USUAL[0]}, or name one by {VARIABLE}; "
                f"`{FETCH}` gets an archive with a free one"
            )
        opened: dict[Path, _Open] = {}
        for path in paths:
            try:
                stat = path.stat()
                stamp = (stat.st_mtime_ns, stat.st_size)
                known = self._open.get(path)
                # Mapped into memory by its extension in C, ten times as fast as held by Python. Put a new file in an
                # old one's place by renaming, as the updaters do.
                reader = known.reader if known and known.stamp == stamp else None
                opened[path] = _Open(reader or maxminddb.open_database(path), stamp)
            except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
                if path not in self._open:
                    raise ModelError(f"GEOIP cannot read {path}: {error}") from error
                opened[path] = self._open[path]
        if {p: o.stamp for p, o in opened.items()} != {p: o.stamp for p, o in self._open.items()}:
            self._open, self._cache = opened, {}
            self._readers = [(o.reader, o.reader.metadata().ip_version == 4) for o in opened.values()]

    def _paths(self) -> Iterable[Path]:
        given = self._given
        if given is None:
            named = os.environ.get(VARIABLE)
            given = [Path(p) for p in (named.split(os.pathsep) if named else USUAL)]
        for path in given:
            yield from sorted(path.glob("*.mmdb")) if path.is_dir() else [path] if path.exists() else []


def fields_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Our fields of a record, whichever way it is laid out; None for those it has not."""
    country, place = record.get("country"), record.get("location")
    region, city = record.get("subdivisions"), record.get("city")
    registered = record.get("registered_country")
    if isinstance(country, Mapping) or isinstance(registered, Mapping):
        code = (country or registered or {}).get("iso_code")
    else:
        code = record.get("country_code") or (
            country if isinstance(country, str) and len(country) == 2 else None
        )
    at = place if isinstance(place, Mapping) else record
    first = region[0] if isinstance(region, list) and region else None
    number = record.get("autonomous_system_number") or record.get("asn")
    return {
        "COUNTRY": code,
        "REGION": _name(first) or _text(record, "state1", "region", "region_name"),
        "CITY": _name(city) or _text(record, "city", "city_name"),
        "LATITUDE": _number(at.get("latitude", at.get("lat"))),
        "LONGITUDE": _number(at.get("longitude", at.get("lng"))),
        "ASN": int(str(number).upper().removeprefix("AS")) if number else None,
    }


def _name(part: Any) -> str | None:
    names = part.get("names") if isinstance(part, Mapping) else None
    if not isinstance(names, Mapping):
        return None
    return names.get("en") or next(iter(names.values()), None)


def _text(record: Mapping[str, Any], *keys: str) -> str | None:
    return next((v for k in keys if isinstance(v := record.get(k), str) and v), None)


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None
