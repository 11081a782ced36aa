"""Places of IP addresses, from any files in MaxMind's format (.mmdb): country, city and network databases together.

MaxMind's own files and DB-IP's nest records (`country.iso_code`); ip-location-db, IPinfo and others are flat
(`country_code`). Both are read. Files are looked for in the GEOIP_DATABASE variable (files or folders, `:` between),
else in the folder `geoip`, the system's usual ones, and last where `ksqlkit geoip fetch` puts its one; they are read
again when they change. None comes along: they age, and their makers want to be named.
"""

from __future__ import annotations

import math
import os
import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from udf_server.errors import ModelError

if TYPE_CHECKING:
    from maxminddb import Reader

VARIABLE: Final = "GEOIP_DATABASE"
USUAL: Final = ("geoip", "/usr/share/GeoIP", "/var/lib/GeoIP", "/usr/local/share/GeoIP")
FETCH: Final = "ksqlkit geoip fetch"
LOOK_AGAIN: Final = 10.0  # seconds between looks for new files
# The reader takes what C's library does, `1.2.3` and octal numbers too; anything but this is parsed here first.
_PLAIN: Final = re.compile(r"(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}")
_CACHED: Final = 100_000  # addresses
_LONGEST: Final = 64  # characters; what is longer is none, and would fill the memory
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


@dataclass(frozen=True, slots=True)
class Database:
    """A file that answers: its kind as it says itself (GeoLite2-City), and when it was made, epoch seconds."""

    path: Path
    kind: str
    built: int


def default_folder() -> Path:
    """Where `ksqlkit geoip fetch` keeps its database: one for all projects of a user."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "ksqlkit" / "geoip"


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
            if len(cache) < _CACHED and len(address) <= _LONGEST:
                cache[address] = found
            out.append(found)
        return out

    def databases(self) -> list[Database]:
        """The open databases, in the order in which they are asked. Raises ModelError where there is none."""
        self._refresh()
        about = {path: o.reader.metadata() for path, o in self._open.items()}
        return [Database(path, m.database_type, m.build_epoch) for path, m in about.items()]

    def forget(self) -> None:
        """Drop remembered answers."""
        self._cache = {}

    def _one(self, text: str) -> dict[str, Any] | None:
        place: dict[str, Any] | None = None
        try:
            if not _PLAIN.fullmatch(text):
                address = ip_address(
                    text.strip().partition("%")[0]
                )  # %eth0: the link it was seen on, not the place
                text = str(getattr(address, "ipv4_mapped", None) or address)
            for reader, ipv4 in self._readers:
                if ipv4 and ":" in text:
                    continue
                record = reader.get(text)
                if isinstance(record, dict):
                    try:
                        found = _flat(tuple(record.items()))
                    except TypeError:  # nested: cannot be a key
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
                f"GEOIP has no database: `{FETCH}` gets a free one of countries; or put a .mmdb file into the folder "
                f"`{USUAL[0]}`, or name one by {VARIABLE}"
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
            given = (
                [Path(p) for p in named.split(os.pathsep)] if named else [*map(Path, USUAL), default_folder()]
            )
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
    number = str(record.get("autonomous_system_number") or record.get("asn") or "").upper().removeprefix("AS")
    return {
        "COUNTRY": code,
        "REGION": _name(first) or _text(record, "state1", "region", "region_name"),
        "CITY": _name(city) or _text(record, "city", "city_name"),
        "LATITUDE": _number(at.get("latitude", at.get("lat"))),
        "LONGITUDE": _number(at.get("longitude", at.get("lng"))),
        "ASN": int(number) if number.isdecimal() else None,
    }


@lru_cache(4096)
def _flat(items: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    """`fields_of` a record without parts; a file of countries has few that differ."""
    return fields_of(dict(items))


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
