"""GEOIP: where an IP address is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from udf_server.errors import ModelError
from udf_server.function import RowError, function
from udf_server.geoip.places import Places


@cache
def places() -> Places:
    """The databases that the server finds."""
    return Places()


@function(
    "GEOIP(ip VARCHAR) -> STRUCT<COUNTRY VARCHAR, REGION VARCHAR, CITY VARCHAR, LATITUDE DOUBLE, "
    "LONGITUDE DOUBLE, ASN BIGINT>",
    deterministic=False,
    example="SELECT ID, GEOIP(IP)->COUNTRY AS COUNTRY FROM REQUESTS EMIT CHANGES;",
)
def geoip(addresses: Sequence[str]) -> list[dict[str, Any] | RowError]:
    """Country code, region, city, coordinates and network number of an IPv4 or IPv6 address, NULL where no database
    knows, as of private ones. Databases are files in MaxMind's format (.mmdb) in the folder `geoip`, or that
    GEOIP_DATABASE names; `ksqlkit geoip fetch` gets a free one of countries (IP Geolocation by DB-IP,
    https://db-ip.com, CC BY 4.0)."""
    try:
        found = places().look_up(addresses)
    except ModelError as error:
        return [RowError(str(error), "UNAVAILABLE")] * len(addresses)
    return [
        RowError(f"{address[:45]!r} is no IP address") if place is None else place
        for address, place in zip(addresses, found, strict=True)
    ]
