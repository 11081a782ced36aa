"""Where npm packages come from on this machine: its npm's registry and tokens, so that a company's mirror is asked.

What npm itself reads, in its order: `npm_config_registry` in the environment (any case), `.npmrc` here, `.npmrc` at
home or the file that NPM_CONFIG_USERCONFIG names. A registry of the package's scope goes before a general one.
"""

from __future__ import annotations

import os
import re
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ksqlkit.errors import UserError
from ksqlkit.files import read_text

PUBLIC: Final = "https://registry.npmjs.org/"
_PREFIX: Final = "npm_config_"
_LINE: Final = re.compile(r"\s*([^;#=\s][^=]*?)\s*=\s*(.*?)\s*")
_VARIABLE: Final = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry's address, ending in a slash, and the headers that let us in."""

    url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)  # secret

    def tarball(self, package: str, version: str) -> str:
        """Where the registry has a version of `@scope/name`."""
        return f"{self.url}{package}/-/{package.rpartition('/')[2]}-{version}.tgz"


def registry_of(package: str, environ: Mapping[str, str], home: Path, here: Path) -> Registry:
    """The registry to ask for a package. Raises UserError for an address that is none."""
    given = {k.lower().removeprefix(_PREFIX): v for k, v in environ.items() if k.lower().startswith(_PREFIX)}
    user = Path(given["userconfig"]) if given.get("userconfig") else home / ".npmrc"
    settings = ChainMap(given, _settings(here / ".npmrc", environ), _settings(user, environ))
    scope = package.partition("/")[0]
    url = (settings.get(f"{scope}:registry") or settings.get("registry") or PUBLIC).rstrip("/") + "/"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(
            f"npm's registry is set to {url[:-1]!r}, which is no http or https address",
            hint="Look at NPM_CONFIG_REGISTRY, and at `registry` in .npmrc here and at home.",
        )
    return Registry(url, _login(f"//{parts.netloc.rpartition('@')[2]}{parts.path}", settings))


def _settings(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """An .npmrc's lines; `${NAME}` is taken from the environment."""
    if not path.is_file():
        return {}
    found = (_LINE.fullmatch(line) for line in read_text(path).split("\n"))
    return {
        line[1]: _VARIABLE.sub(lambda name: environ.get(name[1], name[0]), line[2].strip("\"'"))
        for line in found
        if line
    }


def _login(place: str, settings: Mapping[str, str]) -> dict[str, str]:
    """The header of the token kept for the address, or for the nearest one above it."""
    while place.strip("/"):
        for key, kind in (("_authToken", "Bearer"), ("_auth", "Basic")):
            if secret := settings.get(f"{place}:{key}") or settings.get(f"{place.rstrip('/')}:{key}"):
                return {"Authorization": f"{kind} {secret}"}
        place = place.rstrip("/").rpartition("/")[0] + "/"
    return {}


def here_and_now(package: str) -> Registry:
    """The registry that npm would ask for a package if it were run here."""
    return registry_of(package, os.environ, Path.home(), Path.cwd())
