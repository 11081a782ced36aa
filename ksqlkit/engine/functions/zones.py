"""Time zones as Java names them, on the tz database, for any instant a TIMESTAMP can hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from ksqlkit.errors import DataError

DAY: Final = 86_400_000
_CYCLE: Final = 146_097 * DAY  # the Gregorian calendar, weekdays included, repeats after 400 years
_FIRST: Final = -62_135_510_400_000  # 0001-01-02
_LAST: Final = 253_402_214_400_000  # 9999-12-31
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_1900: Final = -2_208_988_800_000
_OFFSET: Final = re.compile(r"([+-])(\d\d?)(?::(\d\d)(?::(\d\d))?|(\d\d)(\d\d)?)?")
_REGION: Final = re.compile(r"[A-Za-z][A-Za-z0-9~/._+-]+")
_PREFIXES: Final = ("UTC", "GMT", "UT")
# Three-letter names that the tz database has and Java does not.
_UNKNOWN: Final = frozenset(("EST", "MST", "HST", "ROC", "Factory", "localtime", "posixrules"))

# Where a name in a text to parse is meant to be.
NAMED_ZONES: Final = {
    "GMT": "GMT",
    "UTC": "UTC",
    "EST": "America/New_York",
    "EDT": "America/New_York",
    "CST": "America/Chicago",
    "CDT": "America/Chicago",
    "MST": "America/Denver",
    "MDT": "America/Denver",
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
    "AKST": "America/Anchorage",
    "AKDT": "America/Anchorage",
    "HST": "Pacific/Honolulu",
    "BST": "Europe/London",
    "WET": "Europe/Lisbon",
    "WEST": "Europe/Lisbon",
    "CET": "Europe/Paris",
    "CEST": "Europe/Paris",
    "EET": "Europe/Bucharest",
    "EEST": "Europe/Bucharest",
    "MSK": "Europe/Moscow",
    "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo",
    "KST": "Asia/Seoul",
    "AEST": "Australia/Sydney",
    "AEDT": "Australia/Sydney",
    "ACST": "Australia/Adelaide",
    "ACDT": "Australia/Adelaide",
    "AWST": "Australia/Perth",
    "NZST": "Pacific/Auckland",
    "NZDT": "Pacific/Auckland",
    "SAST": "Africa/Johannesburg",
}


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone by its Java id; `fixed` is the offset in seconds of one without rules."""

    name: str
    fixed: int | None
    rules: tzinfo

    def offset(self, millis: int) -> int:
        """Offset from UTC in seconds at an instant."""
        if self.fixed is not None:
            return self.fixed
        if millis > _LAST:
            millis -= (millis - _LAST + _CYCLE - 1) // _CYCLE * _CYCLE
        found = (_EPOCH + timedelta(milliseconds=max(millis, _FIRST))).astimezone(self.rules).utcoffset()
        assert found is not None
        return found.days * 86_400 + found.seconds

    def to_instant(self, local: int) -> int:
        """The instant of a local time in milliseconds: in a gap later by its length, in an overlap the earlier one."""
        before = self.offset(local - DAY)
        after = self.offset(local + DAY)
        for offset in (before, after):
            if self.offset(local - offset * 1000) == offset:
                return local - offset * 1000
        return local - before * 1000

    def legacy_offset(self, millis: int) -> int:
        """The offset by java.util.TimeZone: no local mean times, and UTC+1 (but not GMT+1) unknown, thus UTC."""
        if self.fixed is not None:
            return 0 if self.name.startswith("UT") else self.fixed
        return self.offset(millis) if millis >= _YEAR_1900 else self.standard_offset()

    def standard_offset(self) -> int:
        """The offset outside daylight saving time, today."""
        return min(self.offset(1_704_067_200_000), self.offset(1_719_792_000_000))

    def text(self, millis: int, *, long: bool, generic: bool = False) -> str:
        """The English name at an instant, or that of the zone in summer and winter."""
        if self.fixed is not None:
            return self.name
        names = _names().get(self.name)
        if names is None:
            return "GMT" + (offset_name(seconds) if (seconds := self.offset(millis)) else "")
        if generic:
            return names[4 + long]
        when = _EPOCH + timedelta(milliseconds=min(max(millis, _FIRST), _LAST))
        return names[2 * long + bool(when.astimezone(self.rules).dst())]


@lru_cache(maxsize=1)
def _names() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in Path(__file__).with_name("zone_names.txt").read_text(encoding="utf-8").splitlines()[1:]:
        names, _, zones = line.partition(": ")
        found |= dict.fromkeys(zones.split(), names.split("|"))
    return found


@lru_cache(maxsize=1)
def named_zones() -> dict[str, str]:
    """Names that text to parse may have, in upper case, longer ones first, and the zones they are meant to be."""
    known = _names()
    found = {
        name: zone for zone in reversed(NAMED_ZONES.values()) for name in map(str.upper, known[zone][2:4])
    }
    return dict(sorted((found | NAMED_ZONES).items(), key=lambda pair: -len(pair[0])))


@lru_cache(maxsize=1)
def _ids() -> dict[str, str]:
    return {name.upper(): name for name in _names()}


def zone_in_any_case(name: str) -> Zone:
    """A zone by id as text to parse may write it. Raises DataError."""
    return zone_of(_ids().get(name.upper(), name.upper() if name[:3].upper() in _PREFIXES else name))


def _fixed(name: str, seconds: int) -> Zone:
    return Zone(name, seconds, timezone(timedelta(seconds=seconds)))


def offset_name(seconds: int) -> str:
    """An offset as Java's ZoneOffset prints it."""
    if seconds == 0:
        return "Z"
    minutes, rest = divmod(abs(seconds), 60)
    text = f"{'-' if seconds < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{text}:{rest:02d}" if rest else text


def parse_offset(text: str) -> int:
    """Seconds of an offset such as +5, -0430 or +01:00. Raises DataError."""
    found = _OFFSET.fullmatch(text)
    if not found:
        raise DataError(f"Invalid ID for ZoneOffset, invalid format: {text}")
    sign, hours, minute, second, compact, compact_second = found.groups()
    minutes = int(minute or compact or 0)
    seconds = int(second or compact_second or 0)
    total = int(hours) * 3600 + minutes * 60 + seconds
    if (compact and len(hours) == 1) or minutes > 59 or seconds > 59 or total > 64_800:
        raise DataError(f"Invalid ID for ZoneOffset: {text}")
    return -total if sign == "-" else total


@lru_cache(maxsize=512)
def zone_of(name: str) -> Zone:
    """A zone by id, as ZoneId.of reads it: Z, offsets, UTC+1, regions. Case matters. Raises DataError."""
    if name == "Z":
        return _fixed("Z", 0)
    if name[:1] in ("+", "-"):
        seconds = parse_offset(name)
        return _fixed(offset_name(seconds), seconds)
    for prefix in _PREFIXES:
        rest = name.removeprefix(prefix)
        if rest != name and rest[:1] in ("+", "-"):
            seconds = parse_offset(rest)
            return _fixed(prefix + (offset_name(seconds) if seconds else ""), seconds)
    if name in _PREFIXES:
        return Zone(name, None, UTC) if name != "GMT" else Zone(name, None, timezone(timedelta(0), "GMT"))
    if name in _UNKNOWN or not _REGION.fullmatch(name) or name.startswith(("posix/", "right/")):
        raise DataError(f"Invalid time zone: {name}")
    try:
        return Zone(name, None, ZoneInfo(name))
    except (KeyError, ValueError, OSError) as e:
        raise DataError(f"Invalid time zone: Unknown time-zone ID: {name}") from e
