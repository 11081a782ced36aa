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

_COMPARED: Final = r"(?:=|<|>|like\b|is\s+(?:not\s+)?null)"
_JOINED: Final = r"(?:(?:or|and|xor|having|rlike|like)\b|\|\||&&)"
_OPERAND: Final = r"[\s(+'\"]{0,20}(?:[\w.]{1,60}|['\"]{2})[\s)'\"]{0,20}"
_NAMED: Final = r"(?:[\w.]{1,60}|`[^`]{1,60}`|\[[^\]]{1,60}\]|\"[^\"]{1,60}\")"
_OBJECT: Final = r"(?:table|database|schema|user|login|view|index|function|procedure|column|trigger)"
_COMMAND: Final = (
    r"(?:cat|ls|id|whoami|uname|ping|wget|curl|nc|netstat|bash|sh|dir|type|echo|sleep|rm|ps|ifconfig|ipconfig|nslookup"
    r"|perl|python|php|powershell|cmd)\b(?!\s*=)"
)
_ARGUMENT: Final = r"(?=\s*(?:$|[;|&`<>)#%+])|\s+(?:[-/.~$*'\"]|\S+[./:\\]\S))"  # that no prose has

# A sign that prose shares (a quote, `or`, a word that is also a command) counts where what is around it is code:
# the first quote of a value closes one that the query opened, a statement has the words that make it one.
_RULES: Final[dict[str, tuple[tuple[str, float], ...]]] = {
    "sqli": (
        (r"\bunion\b[\s(/*!]+(?:all\b[\s(/*]*)?(?:distinct\b\s*)?select\b", 0.97),
        (r"\bselect\b[^;]{1,400}\bfrom\b", 0.45),
        (r"\bselect\s+(?:\*|[\w.@]+\s*[,(]|[\w.]+\s+from\s+\w+\s*(?:$|;|\)|where|limit|--))", 0.8),
        (
            rf"^(?:[^'\"`]*['\"`]|[^()]*\))[\s)%'\"]*{_JOINED}{_OPERAND}{_COMPARED}\s*[\w'\"(]",
            0.85,
        ),
        (
            rf"(?:^|[\s\d)'\"]){_JOINED}[\s(+'\"]{{0,20}}\d{{1,20}}[\s)'\"]{{0,20}}{_COMPARED}[\s('\"]{{0,20}}\d",
            0.8,
        ),
        (rf"(?:^|[\s\d)'\"]){_JOINED}[\s(]{{0,20}}(['\"]?)(\w{{1,60}})\1\s*=\s*\1\2\b", 0.8),
        (rf"(?:^|[\s\d)'\"]){_JOINED}{_OPERAND}(?:=|like)\s*['\"(]", 0.6),
        (rf"(?:^|[\s\d)'\"]){_JOINED}{_OPERAND}{_COMPARED}", 0.3),
        (r"^[^'\"`]*['\"`][\s)%]*(?:or|and)\b", 0.45),
        (r"['\"`)]\s*(?:--[\s+-]*$|#\s*$|/\*)|^[^'\"`]*['\"`][\s)]*(?:--|#|/\*)", 0.85),
        (
            rf";\s*(?:(?:drop|alter|create)\s+{_OBJECT}|insert\s+into|update\s+{_NAMED}\s+set|delete\s+from"
            r"|exec(?:ute)?\s*(?:\(|\s(?:master|xp_|sp_|immediate|@))|shutdown\s*(?:$|;|--|with)|waitfor\s+delay"
            r"|select\s*(?:[*(@'\"\d]|[\w.]+\s*[(,]|\w+\s+from\b)|declare\s+@|begin\s+\w+[.(]|call\s+\w+\s*\()",
            0.95,
        ),
        (
            r"\b(?:pg_)?sleep\s*\((?!\s*\d+\s+[a-z])|\bbenchmark\s*\(\s*\d|\bwaitfor\s+delay\b|\b(?:dbms|utl)_\w+",
            0.9,
        ),
        (
            r"\b(?:extractvalue|updatexml|xp_cmdshell|sp_executesql|information_schema|sysobjects|row_count|chr\(\d|char\(\d"
            r"|(?:make_set|elt|load_file|regexp_substring|crypt_key|randomblob)\(|\bif\s*\(\s*\d+\s*=\s*\d)",
            0.9,
        ),
        (r"\b(?:order|group)\s+by\s+\d+\s*(?:$|--|#|/\*|[,;)]|asc\b|desc\b|having\b)", 0.7),
        (r"\bcase\s+(?:\d+\s+)?when\b.{1,200}\bthen\b.{1,200}\b(?:else|end)\b|\biif\s*\(", 0.85),
        (
            rf"\binsert\s+into\s+{_NAMED}\s*(?:\(|values\b|select\b|set\b)|\bupdate\s+{_NAMED}\s+set\s+{_NAMED}\s*="
            rf"|\bdelete\s+from\s+{_NAMED}\s*(?:$|;|--|#|where\b)"
            rf"|\bdrop\s+(?:table|database)\s+(?:if\s+exists\s+)?{_NAMED}\s*(?:$|--|#|/\*|[;,)]|cascade\b)"
            r"|\bcreate\s+user\s+\S+\s+(?:identified|with|password|for|without)\b"
            r"|\bgrant\s+(?:all|select|insert|update|delete|execute)\b[\w\s,]{0,100}\son\s.{1,100}\sto\b",
            0.85,
        ),
        (r"(?:^|\s)(?:--|#)\s*$|/\*.{0,200}\*/", 0.45),
        (r"^['\"`]|['\"`]$", 0.25),
    ),
    "xss": (
        (r"<\s{0,20}/?\s{0,20}script", 0.97),
        (
            r"\bon(?:error|load|click|mouse\w+|focus|blur|key\w+|toggle|start|begin|animation\w*|pointer\w+|submit|change|scroll)\s*=",
            0.93,
        ),
        (r"(?:java|vb|live)script\s*:", 0.95),
        (
            r"<\s*(?:(?:img|svg|iframe|body|input|video|audio|object|embed|link|meta|style|base|form|math|marquee|details)\b"
            r"|a[\s/]+[\w:]+\s*=)",
            0.75,
        ),
        (
            r"\b(?:alert|prompt|confirm|eval|settimeout)(?:[(`\[]|\.(?:call|apply|bind)\b|\s+[(`]\s*['\"`\d/])|fromcharcode\s*\("
            r"|\bdocument\.(?:cookie|write(?:ln)?|location|domain|body|createelement|getelement\w+|queryselector\w*)\b"
            r"|\bwindow\.\w+\s*[(`\[=]|\bwindow\.location\.\w",
            0.8,
        ),
        (r"\bexpression\s*\(|data:\s*text/html|<!\[cdata\[|<\?(?:xml|import)\b", 0.85),
        (r"[\"']\s*>|<\s*[a-z!/]", 0.4),
    ),
    "cmdi": (
        # `dogs; cat food` is prose, `1; cat food` is not; pipes and && are not either.
        (rf"(?:(?<![a-z]);\s{{0,20}}|;|(?:\||&&|`)\s{{0,20}}){_COMMAND}", 0.95),
        (rf"[;&\n]\s{{0,20}}{_COMMAND}{_ARGUMENT}", 0.95),
        (rf"\$\(\s*{_COMMAND}|`\s*(?:true|false)\s*`|\$\{{ifs\}}", 0.85),
        (r"\$\([^)]{1,200}\)|`[^`]{1,200}`", 0.3),
        (
            r"\brm\s{1,9}(?:-\w{1,9}\s{1,9}){0,4}-\w{0,9}[rf]\w{0,9}\s{1,9}\S|\bmkfs(?:\.\w+)?\s+/dev/|\bdd\s+if=/dev/|\(\)\s*\{\s*:\s*\|\s*:",
            0.93,
        ),
        (
            r"/bin/(?:(?:ba|da|z)?sh|cat|ls|ping|id|uname|nc|sleep|rm|wget|curl|echo)\b|\bcmd(?:\.exe)?\s*/c\b"
            r"|\bpowershell(?:\.exe)?\s+(?:-|/|\w+-\w|iex\b)",
            0.93,
        ),
        (r"<!--\s*#\s*(?:exec|include|echo)", 0.95),
        (r"(?:system|exec|passthru|shell_exec|popen)(?:\(|\s+\(\s*['\"$])", 0.8),
        (r"(?:\|\||&&|;)\s*\w+\s*(?:/|-\w)", 0.45),
    ),
    "path-traversal": (
        (
            r"(?:\.\.|%2e%2e|\.%2e|%c0%ae|0x2e0x2e)(?:[/\\]|%2f|%5c|%c0%af|0x2f|0x5c)|(?:[/\\]{1,5}\.){3}[/\\]",
            0.93,
        ),
        (
            r"(?:/|\\)etc(?:/|\\)(?:passwd|shadow|hosts|group|issue)\b|\bboot\.ini\b|\bwin\.ini\b|/proc/self/|web-inf",
            0.95,
        ),
        (r"\b(?:file|php|zip|phar|expect)://?", 0.85),
        (r"^[a-z]:[\\/]+(?:inetpub|windows|winnt|boot)\b|\bwindows[\\/]?system32\b", 0.6),
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
