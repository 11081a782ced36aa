"""Reading text files that people wrote, and writing files that are never seen half done."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

from ksqlkit.errors import Location, UserError

_HINT: Final = "Save it as UTF-8."


def read_text(path: Path) -> str:
    """A UTF-8 file's text, without a byte order mark; each line ends with a line feed alone.

    Raises UserError for a file that cannot be read, or is not UTF-8: with the line and the byte's place.
    """
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise UserError(f"{path} cannot be read: {exc.strerror}") from exc
    return decode(content, path)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears, or takes the old one's place, in one step. Raises OSError, and leaves nothing then."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.partial")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def decode(content: bytes, path: Path | str) -> str:
    """A file's content as text; see `read_text`."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError("The file is UTF-16, not UTF-8", location=Location(str(path), 1), hint=_HINT)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        at = exc.start + (3 if content.startswith(b"\xef\xbb\xbf") else 0)  # the mark is not counted there
        begin = content.rfind(b"\n", 0, at) + 1
        before = content[begin:at].decode("utf-8", "replace")
        after = content[at:].partition(b"\n")[0].decode("utf-8", "replace")
        place = Location(
            str(path), content.count(b"\n", 0, at) + 1, len(before) + 1, before + after.rstrip("\r")
        )
        message = f"Not UTF-8 text: byte 0x{content[at]:02x} at offset {at}"
        raise UserError(message, location=place, hint=_HINT) from None
    if "\0" in text:
        at = text.index("\0")
        line = text.count("\n", 0, at) + 1
        raise UserError("The file holds a NUL character: it is not text", location=Location(str(path), line))
    return text.replace("\r\n", "\n").replace("\r", "\n")
