"""Completion in the shell: key words, functions, streams, tables, their columns, topics."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from ksqlkit.client.protocol import Client
from ksqlkit.dialect import quote_name
from ksqlkit.dialect.words import KEYWORDS
from ksqlkit.errors import KsqlkitError

FRESH = 5.0  # seconds for which a server's names are believed
AFTER_RELATION = ("FROM", "JOIN", "INTO", "DESCRIBE", "TABLE", "STREAM", "EXISTS", "REPLACE")
_WORD = r"[A-Za-z0-9_@`$]+"


@dataclass(slots=True)
class Names:
    """A server's names, read when first needed; none where it does not answer."""

    relations: dict[str, list[str]] = field(default_factory=dict)  # name as written in SQL -> its columns
    functions: list[str] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)


class SqlCompleter(Completer):
    """Completes the word before the cursor; relations after FROM and the like, topics in PRINT's quotes."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._names = Names()
        self._read = float("-inf")

    def get_completions(self, document: Document, _: CompleteEvent) -> Iterator[Completion]:
        """Completions in the order: what the place asks for, then functions and key words."""
        before = document.text_before_cursor
        word = (re.search(_WORD + "$", before) or [""])[0]
        previous = re.findall(_WORD, before[: len(before) - len(word)])
        names = self._fresh()
        last = previous[-1].upper() if previous else ""
        head = previous[0].upper() if previous else ""
        if head == "PRINT":
            choices = [(t, "topic") for t in names.topics]
        elif last in AFTER_RELATION:
            choices = [(name, "source") for name in names.relations]
        elif last == "FUNCTION":
            choices = [(name, "function") for name in names.functions]
        else:
            choices = [*self._columns(document.text, names), *((f, "function") for f in names.functions)]
            choices += [(name, "source") for name in names.relations]
            choices += [(k, "") for k in sorted(KEYWORDS)]
        yield from _matching(choices, word)

    def _columns(self, text: str, names: Names) -> list[tuple[str, str]]:
        upper = text.upper()
        named = [columns for name, columns in names.relations.items() if name.upper() in upper]
        return [(c, "column") for columns in named for c in columns]

    def _fresh(self) -> Names:
        now = time.monotonic()
        if now - self._read > FRESH:
            self._read = now
            try:
                self._names = _read_names(self._client)
            except KsqlkitError:
                self._names = Names()
        return self._names


def _read_names(client: Client) -> Names:
    def described(sql: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.execute(sql)[0]["sourceDescriptions"]
        return found

    sources = [*described("LIST STREAMS EXTENDED;"), *described("LIST TABLES EXTENDED;")]
    relations = {
        quote_name(s["name"].strip("`")): [quote_name(f["name"].strip("`")) for f in s["fields"]]
        for s in sources
    }
    functions = [f["name"] for f in client.execute("SHOW FUNCTIONS;")[0]["functions"]]
    topics = [t["name"] for t in client.execute("SHOW TOPICS;")[0]["topics"]]
    return Names(relations, functions, topics)


def _matching(choices: Iterable[tuple[str, str]], word: str) -> Iterator[Completion]:
    wanted = word.strip("`").upper()
    seen = set()
    for text, kind in choices:
        if text.strip("`").upper().startswith(wanted) and text not in seen:
            seen.add(text)
            small = kind in ("", "function") and word.islower()
            yield Completion(text.lower() if small else text, start_position=-len(word), display_meta=kind)
