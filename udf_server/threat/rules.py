"""Rules for attacks in the values of requests: SQL and command injection, cross-site scripting, path traversal.

Each rule is a pattern and how sure it makes; a value's doubts multiply, so that two weak signs make a strong one.
The patterns follow the attacks as OWASP's testing guide describes them.
"""

from __future__ import annotations

import html
import re
from functools import cache
from typing import Any, Final
from urllib.parse import unquote_plus

MAX_CHARACTERS: Final = 20_000
_DECODINGS: Final = 2  # attackers encode twice to pass a filter

_RULES: Final[dict[str, tuple[tuple[str, float], ...]]] = {
    "sqli": (
        (r"\bunion\b[\s(/*!]+(?:all\b[\s(/*]*)?(?:distinct\b\s*)?select\b", 0.97),
        (r"\bselect\b[^;]{1,400}\bfrom\b", 0.45),
        (r"\bselect\s+(?:\*|[\w.@]+\s*[,(]|[\w.]+\s+from\s+\w+\s*(?:$|;|\)|where|limit|--))", 0.8),
        (
            r"(?:^|['\"`)\s\d])(?:(?:or|and|xor|having|rlike|like)\b|\|\||&&)[\s(+'\"]*[\w.'\"]+[\s)'\"]*(?:=|<|>|like|is)\s*[\w'\"(]",
            0.8,
        ),
        (r"['\"`]\s*(?:or|and)\b", 0.7),
        (r"['\"`)]\s*(?:--|#|/\*)", 0.85),
        (
            r";\s*(?:drop|insert|update|delete|alter|create|exec|execute|shutdown|select|waitfor|declare)\b",
            0.95,
        ),
        (r"\b(?:sleep|benchmark|pg_sleep|waitfor\s+delay|dbms_\w+|utl_\w+)\b[\s('.]", 0.9),
        (
            r"\b(?:extractvalue|updatexml|xp_cmdshell|sp_executesql|information_schema|sysobjects|row_count|chr\(\d|char\(\d)",
            0.9,
        ),
        (r"\b(?:order|group)\s+by\s+\d", 0.7),
        (r"\bcase\s+when\b.{1,200}\bthen\b|\biif\s*\(", 0.85),
        (
            r"\b(?:insert\s+into|delete\s+from|drop\s+table|update\s+\w+\s+set|create\s+user|grant\s+\w+\s+to)\b",
            0.85,
        ),
        (r"(?:^|\s)(?:--|#)\s*$|/\*.{0,200}\*/", 0.45),
        (r"^['\"`]|['\"`]$", 0.25),
    ),
    "xss": (
        (r"<\s*/?\s*script", 0.97),
        (
            r"\bon(?:error|load|click|mouse\w+|focus|blur|key\w+|toggle|start|begin|animation\w*|pointer\w+|submit|change|scroll)\s*=",
            0.93,
        ),
        (r"(?:java|vb|live)script\s*:", 0.95),
        (
            r"<\s*(?:img|svg|iframe|body|input|video|audio|object|embed|link|meta|style|base|form|math|marquee|details|a)\b",
            0.75,
        ),
        (r"\b(?:alert|prompt|confirm|eval|fromcharcode|document\.\w+|window\.\w+|settimeout)\s*[(`.\[]", 0.8),
        (r"\bexpression\s*\(|data:\s*text/html|<!\[cdata\[|<\?xml", 0.85),
        (r"[\"']\s*>|<\s*[a-z!/]", 0.4),
    ),
    "cmdi": (
        (
            r"[;|&`\n]\s*(?:cat|ls|id|whoami|uname|ping|wget|curl|nc|netstat|bash|sh|dir|type|echo|sleep|rm|ps|ifconfig|ipconfig|nslookup|perl|python|php|powershell|cmd)\b",
            0.95,
        ),
        (r"\$\([^)]{1,200}\)|`[^`]{1,200}`|\$\{ifs\}", 0.8),
        (
            r"/bin/(?:ba|da|z)?sh\b|/bin/(?:cat|ls|ping|id|uname|nc)|\bcmd(?:\.exe)?\s*/c\b|\bpowershell\b",
            0.93,
        ),
        (r"<!--\s*#\s*(?:exec|include|echo)", 0.95),
        (r"(?:system|exec|passthru|shell_exec|popen)\s*\(", 0.8),
        (r"(?:\|\||&&|;)\s*\w+\s*(?:/|-\w)", 0.5),
    ),
    "path-traversal": (
        (r"(?:\.\.|%2e%2e|\.%2e|%c0%ae)(?:[/\\]|%2f|%5c|%c0%af)", 0.93),
        (
            r"(?:/|\\)etc(?:/|\\)(?:passwd|shadow|hosts|group|issue)\b|\bboot\.ini\b|\bwin\.ini\b|/proc/self/|web-inf",
            0.95,
        ),
        (r"\b(?:file|php|zip|phar|expect)://?", 0.85),
        (r"^[a-z]:[\\/]|\bwindows[\\/]?system32\b", 0.6),
    ),
}


@cache
def _compiled() -> dict[str, tuple[tuple[re.Pattern[str], float], ...]]:
    flags = re.IGNORECASE | re.DOTALL
    return {k: tuple((re.compile(p, flags), sure) for p, sure in rules) for k, rules in _RULES.items()}


def payload_rules(text: str) -> dict[str, Any]:
    """SCORE 0..1 and KIND, None under a half, of one value; encodings of URLs and HTML are undone first."""
    forms = [text[:MAX_CHARACTERS]]
    for _ in range(_DECODINGS):
        decoded = html.unescape(unquote_plus(forms[-1]))
        if decoded == forms[-1]:
            break
        forms.append(decoded)
    scores = {kind: max(_sure(form, kind) for form in forms) for kind in _RULES}
    # Script tags quote as SQL does and commands hold paths: the likelier reading wins.
    kind = max(scores, key=scores.__getitem__)
    return {"SCORE": scores[kind], "KIND": kind if scores[kind] >= 0.5 else None}


def _sure(text: str, kind: str) -> float:
    doubt = 1.0
    for pattern, sure in _compiled()[kind]:
        if pattern.search(text):
            doubt *= 1.0 - sure
    return 1.0 - doubt
