"""REGEXP functions, with Java's regular expressions."""

from __future__ import annotations

from ksqlkit.engine.functions.define import Family
from ksqlkit.engine.functions.java_regex import java_pattern, matches, replacement
from ksqlkit.engine.functions.utf16 import units

regexps = Family("REGULAR EXPRESSION")


@regexps.scalar(
    "REGEXP_EXTRACT(VARCHAR pattern, VARCHAR input) -> VARCHAR",
    "REGEXP_EXTRACT(VARCHAR pattern, VARCHAR input, INT group) -> VARCHAR",
)
def regexp_extract(pattern: str, text: str, group: int = 0) -> str | None:
    """The first match of a pattern, or a group of it; NULL if there is none."""
    compiled = java_pattern(pattern)
    if group > compiled.groups:
        return None
    found = compiled.search(text)
    if found is None:
        return None
    matched: str | None = found[group] if group >= 0 else _no_group(group)
    return matched


def _no_group(group: int) -> str:
    raise ValueError(f"No group {group}")


@regexps.scalar(
    "REGEXP_EXTRACT_ALL(VARCHAR pattern, VARCHAR input) -> ARRAY<VARCHAR>",
    "REGEXP_EXTRACT_ALL(VARCHAR pattern, VARCHAR input, INT group) -> ARRAY<VARCHAR>",
)
def regexp_extract_all(pattern: str, text: str, group: int = 0) -> list[str | None] | None:
    """All matches of a pattern, or one group of each."""
    compiled = java_pattern(pattern)
    if group > compiled.groups:
        return None
    found: list[str | None] = []
    for m in matches(compiled, text):
        found.append(m[group] if group >= 0 else _no_group(group))
        if (
            not m[0] and text[m.end() : m.end() + 1] > "\uffff"
        ):  # Java looks between the halves of a pair, too
            found.append(found[-1])
    return found


@regexps.scalar("REGEXP_REPLACE(VARCHAR str, VARCHAR regexp, VARCHAR newStr) -> VARCHAR")
def regexp_replace(text: str, pattern: str, new: str) -> str:
    """The string with all matches replaced; $1 in the new text stands for a group."""
    parts, start = [], 0
    for found in matches(java_pattern(pattern), text):
        parts += [text[start : found.start()], replacement(new, found)]
        start = found.end()
    return "".join([*parts, text[start:]])


@regexps.scalar("REGEXP_SPLIT_TO_ARRAY(VARCHAR string, VARCHAR regexp) -> ARRAY<VARCHAR>")
def regexp_split_to_array(text: str, pattern: str) -> list[str]:
    """The parts of a string between matches of a pattern."""
    compiled = java_pattern(pattern)
    lenient = not pattern or compiled.fullmatch("") is not None
    whole = units(text) if not pattern else text
    parts: list[str] = []
    start = 0
    for found in matches(compiled, whole):
        if found.end() == 0 or (found.start() == found.end() == len(whole)):
            continue
        parts.append(whole[start : found.start()])
        start = found.end()
    split = bool(parts)
    parts.append(whole[start:])
    while lenient and split and parts and not parts[-1]:  # Pattern.split drops empty parts at the end
        parts.pop()
    return parts
