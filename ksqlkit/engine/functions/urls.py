"""URL functions: parts of a URI by the rules of java.net.URI, and form encoding."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from ksqlkit.engine.functions.define import Family
from ksqlkit.errors import DataError

urls = Family("URL")

_UNRESERVED: Final = r"A-Za-z0-9_\-!.~'()*"
_ESCAPED: Final = "%[0-9a-fA-F]{2}"
_ANY: Final = r";/?:@&=+$,\[\]"
_PATH: Final = r":@&=+$,;/"
_REGISTRY: Final = r"$,;:@&=+"
_USER: Final = r";:&=+$,"
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+\-.]*")


@cache
def _legal(more: str) -> re.Pattern[str]:
    """Strings of unreserved characters, some others, escapes and what lies beyond ASCII."""
    return re.compile(f"(?:[{_UNRESERVED}{more}\u0080-\U0010ffff]|{_ESCAPED})*")


@dataclass(frozen=True, slots=True)
class Uri:
    """The parts of a URI, decoded."""

    scheme: str | None = None
    host: str | None = None
    port: int | None = None
    path: str | None = None
    query: str | None = None
    fragment: str | None = None


@cache
def _host() -> re.Pattern[str]:
    """An IPv4 address, a host name or an IPv6 address in brackets."""
    label = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    top = "[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    ipv4, ipv6 = r"(?:\d{1,3}\.){3}\d{1,3}", r"\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]"
    return re.compile(rf"{ipv4}|(?:{label}\.)+{top}\.?|{label}\.?|{ipv6}")


def _decoded(text: str | None) -> str | None:
    if text is None or "%" not in text:
        return text
    return re.sub(
        f"(?:{_ESCAPED})+", lambda m: bytes.fromhex(m[0].replace("%", "")).decode("utf-8", "replace"), text
    )


def _check(more: str, part: str, text: str) -> None:
    if not _legal(more).fullmatch(part) or any(
        c > "\x7f" and unicodedata.category(c)[0] in "ZC" for c in part
    ):
        raise DataError(f"URL input has invalid syntax: {text}")


@lru_cache(maxsize=1024)
def parse_uri(text: str) -> Uri:
    """The parts of a URI. Raises DataError for text that is none."""
    wrong = DataError(f"URL input has invalid syntax: {text}")
    rest, mark, fragment = text.partition("#")
    if mark:
        _check(_ANY, fragment, text)
    scheme = None
    found = re.match(r"[^/?#:]*:", rest)
    if found:
        scheme, rest = found[0][:-1], rest[found.end() :]
        if not _SCHEME.fullmatch(scheme) or not rest:
            raise wrong
        if not rest.startswith("/"):
            _check(_ANY, rest, text)
            return Uri(scheme, fragment=_decoded(fragment) if mark else None)
    rest, question, query = rest.partition("?")
    if question:
        _check(_ANY, query, text)
    host: str | None = None
    port: int | None = None
    if rest.startswith("//"):
        authority, slash, path = rest[2:].partition("/")
        if authority:
            host, port = _authority(authority, text)
        elif not slash and not question and not mark:
            raise wrong
        rest = slash + path
    _check(_PATH, rest, text)
    return Uri(
        scheme,
        host,
        port,
        _decoded(rest),
        _decoded(query) if question else None,
        _decoded(fragment) if mark else None,
    )


def _authority(authority: str, text: str) -> tuple[str | None, int | None]:
    """Host and port; both None for an authority that is only a registered name."""
    user, at, server = authority.rpartition("@")
    found = _host().match(server)
    if found and (not at or _legal(_USER).fullmatch(user)):
        after = server[found.end() :]
        if re.fullmatch(r"(?::\d*)?", after, re.ASCII):
            port = int(after[1:]) if after[1:] else None
            if port is None or port < 1 << 31:
                return found[0], port
    _check(_REGISTRY, authority, text)
    return None, None


@urls.scalar("URL_EXTRACT_PROTOCOL(VARCHAR input) -> VARCHAR")
def url_extract_protocol(text: str) -> str | None:
    """The protocol of a URL."""
    return parse_uri(text).scheme


@urls.scalar("URL_EXTRACT_HOST(VARCHAR input) -> VARCHAR")
def url_extract_host(text: str) -> str | None:
    """The host of a URL."""
    return parse_uri(text).host


@urls.scalar("URL_EXTRACT_PORT(VARCHAR input) -> INT")
def url_extract_port(text: str) -> int | None:
    """The port of a URL, NULL where it has none."""
    return parse_uri(text).port


@urls.scalar("URL_EXTRACT_PATH(VARCHAR input) -> VARCHAR")
def url_extract_path(text: str) -> str | None:
    """The path of a URL, decoded."""
    return parse_uri(text).path


@urls.scalar("URL_EXTRACT_QUERY(VARCHAR input) -> VARCHAR")
def url_extract_query(text: str) -> str | None:
    """The query of a URL, decoded."""
    return parse_uri(text).query


@urls.scalar("URL_EXTRACT_FRAGMENT(VARCHAR input) -> VARCHAR")
def url_extract_fragment(text: str) -> str | None:
    """The fragment of a URL, decoded."""
    return parse_uri(text).fragment


@urls.scalar("URL_EXTRACT_PARAMETER(VARCHAR input, VARCHAR paramToFind) -> VARCHAR")
def url_extract_parameter(text: str, name: str) -> str | None:
    """The value of a parameter in the query of a URL, NULL where it has none."""
    query = parse_uri(text).query
    for pair in query.split("&") if query is not None else ():
        key, _, value = pair.partition("=")
        if key == name:
            return value
    return None


@urls.scalar("URL_ENCODE_PARAM(VARCHAR input) -> VARCHAR")
def url_encode_param(text: str) -> str:
    """A string encoded as a form parameter."""
    from urllib.parse import quote_plus

    return quote_plus(text, safe="*").replace("~", "%7E")


@urls.scalar("URL_DECODE_PARAM(VARCHAR input) -> VARCHAR")
def url_decode_param(text: str) -> str:
    """A string decoded from a form parameter."""
    plain = text.replace("+", " ")
    if re.search("%(?![0-9a-fA-F]{2})", plain):
        raise DataError(f"URLDecoder: Illegal hex characters in escape (%) pattern: {text}")
    return _decoded(plain) or ""
