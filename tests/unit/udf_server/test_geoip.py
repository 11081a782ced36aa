from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.mmdb import write_mmdb
from udf_server.builtin import geoip as builtin
from udf_server.errors import ModelError
from udf_server.function import RowError
from udf_server.geoip.places import Places, fields_of

pytest.importorskip("maxminddb", reason="GEOIP needs the maxminddb package")

DATA = Path(os.environ.get("ACCURACY_DATA", Path(__file__).parents[4] / "shared" / "data")) / "geoip"
needs_files = pytest.mark.skipif(
    not (DATA / "GeoLite2-City-Test.mmdb").is_file(), reason="MaxMind's test databases are not here"
)


@needs_files
def test_city_and_network_databases_answer_together() -> None:
    [place] = Places([DATA]).look_up(["89.160.20.112"])
    assert place is not None
    assert (place["COUNTRY"], place["REGION"], place["CITY"]) == ("SE", "Östergötland County", "Linköping")
    assert (place["LATITUDE"], place["LONGITUDE"]) == pytest.approx((58.4167, 15.6167))
    assert place["ASN"] == 29518


@needs_files
def test_forms_of_addresses() -> None:
    places = Places([DATA / "GeoLite2-Country-Test.mmdb"])
    plain, mapped, spaced, six, unknown, *wrong = places.look_up(
        [
            "89.160.20.112",
            "::ffff:89.160.20.112",
            " 89.160.20.112 ",
            "2001:218::1",
            "10.0.0.1",
            "x",
            "",
            "1.2.3",
            "1::2::3",
        ]
    )
    assert plain == mapped == spaced
    assert plain is not None
    assert plain["COUNTRY"] == "SE"
    assert six is not None
    assert six["COUNTRY"] == "JP"
    assert unknown is not None
    assert set(unknown.values()) == {None}
    assert wrong == [None] * 4


def test_flat_records_are_read_as_nested_ones() -> None:
    assert fields_of({"country_code": "SE"})["COUNTRY"] == "SE"
    assert fields_of({"country": "SE", "asn": "AS29518"}) == {
        "COUNTRY": "SE",
        "REGION": None,
        "CITY": None,
        "LATITUDE": None,
        "LONGITUDE": None,
        "ASN": 29518,
    }
    flat = fields_of({"city": "Kista", "state1": "Stockholm", "latitude": 59.4, "longitude": "17.9"})
    assert (flat["CITY"], flat["REGION"], flat["LATITUDE"], flat["LONGITUDE"]) == (
        "Kista",
        "Stockholm",
        59.4,
        17.9,
    )


def test_no_database_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"`ksqlkit geoip fetch` gets .*GEOIP_DATABASE"):
        Places([tmp_path]).look_up(["1.2.3.4"])


def test_the_folder_geoip_is_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEOIP_DATABASE", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "geoip").mkdir()
    (tmp_path / "geoip" / "mine.mmdb").write_bytes(b"rubbish")
    with pytest.raises(ModelError, match=r"cannot read geoip/mine\.mmdb"):
        Places().look_up(["1.2.3.4"])


def test_a_corrupt_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.mmdb").write_bytes(b"rubbish")
    with pytest.raises(ModelError, match=r"cannot read .*bad\.mmdb"):
        Places([tmp_path]).look_up(["1.2.3.4"])


COUNTRIES = {
    "8.8.8.0/24": {"country_code": "US"},
    "81.2.69.0/24": {"country_code": "GB"},
    "2001:4860::/32": {"country_code": "US"},
}


def countries(places: Places, *addresses: str) -> list[str | None]:
    return [place and place["COUNTRY"] for place in places.look_up(addresses)]


def test_both_families_of_addresses_in_all_their_spellings(tmp_path: Path) -> None:
    places = Places([write_mmdb(tmp_path / "c.mmdb", COUNTRIES)])
    six = [
        "2001:4860:4860::8888",
        "2001:4860:4860:0:0:0:0:8888",
        "2001:4860:4860::8888%eth0",
        "::ffff:8.8.8.8",
    ]
    assert countries(places, *six, "::FFFF:808:808", " 8.8.8.8\n") == ["US"] * 6


def test_addresses_of_nowhere_have_no_place(tmp_path: Path) -> None:
    places = Places([write_mmdb(tmp_path / "c.mmdb", COUNTRIES)])
    nowhere = [
        "10.0.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "169.254.1.1",
        "100.64.0.1",
        "0.0.0.0",
        "255.255.255.255",
    ]
    nowhere += ["::", "::1", "fe80::1%eth0", "fc00::1", "ff02::1"]
    assert [set(place.values()) if place else None for place in places.look_up(nowhere)] == [{None}] * 12


GARBAGE = [
    "",
    " ",
    "x",
    "8.8.8",
    "8.8.8.8.8",
    "08.8.8.8",
    "8.8.8.256",
    "8.8.8.8:80",
    "8.8.8.0/24",
    "134744072",
]
GARBAGE += [
    "0x08080808",
    "-1",
    "8.8.8.8, 1.1.1.1",
    "[::1]",
    "1::2::3",
    "\0",
    "8.8.8.8\0",
    "\ud800",
    "８.8.8.8",
    "é" * 1_000_000,
]


def test_garbage_is_an_error_of_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtin, "places", lambda: Places([write_mmdb(tmp_path / "c.mmdb", COUNTRIES)]))
    first, *wrong, last = builtin.geoip(["8.8.8.8", *GARBAGE, "81.2.69.1"])
    assert (first["COUNTRY"], last["COUNTRY"]) == ("US", "GB")
    assert [type(w) for w in wrong] == [RowError] * len(GARBAGE)
    assert {w.code for w in wrong} == {"INVALID_INPUT"}
    assert all("is no IP address" in w.message and len(w.message) < 200 for w in wrong)


def test_of_several_files_the_first_that_knows_answers(tmp_path: Path) -> None:
    cities = {"81.2.69.0/25": {"city": "London", "latitude": 51.5, "longitude": -0.1, "asn": "n/a"}}
    nested = {"81.2.69.0/26": {"country": {"iso_code": "IM", "names": {"en": "Isle of Man"}}}}
    given = [
        write_mmdb(tmp_path / name, records)
        for name, records in (("a.mmdb", cities), ("b.mmdb", nested), ("c.mmdb", COUNTRIES))
    ]
    places = Places(given)
    near, far = places.look_up(["81.2.69.1", "81.2.69.200"])
    assert near is not None
    assert (near["COUNTRY"], near["CITY"], near["LATITUDE"], near["ASN"]) == ("IM", "London", 51.5, None)
    assert far is not None
    assert (far["COUNTRY"], far["CITY"]) == ("GB", None)
    assert [d.path for d in places.databases()] == given


def test_a_file_that_changes_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("udf_server.geoip.places.LOOK_AGAIN", 0.0)
    file = write_mmdb(tmp_path / "c.mmdb", COUNTRIES)
    places = Places([tmp_path])
    assert countries(places, "8.8.8.8", "9.9.9.9") == ["US", None]
    write_mmdb(tmp_path / "new", {**COUNTRIES, "9.9.9.0/24": {"country_code": "CH"}}).replace(file)
    assert countries(places, "8.8.8.8", "9.9.9.9") == ["US", "CH"]


def test_the_default_is_asked_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEOIP_DATABASE", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("udf_server.geoip.places.USUAL", ("geoip",))
    monkeypatch.chdir(tmp_path)
    for folder in ("geoip", "data/ksqlkit/geoip"):
        (tmp_path / folder).mkdir(parents=True)
    write_mmdb(tmp_path / "data/ksqlkit/geoip/dbip-country.mmdb", COUNTRIES)
    write_mmdb(tmp_path / "geoip/own.mmdb", {"8.8.8.8/32": {"country_code": "CH"}})
    assert countries(Places(), "8.8.8.8", "8.8.8.9") == ["CH", "US"]
