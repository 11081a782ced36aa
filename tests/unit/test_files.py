"""Text files that people wrote, and what is wrong with some."""

from __future__ import annotations

from pathlib import Path

import pytest

from ksqlkit.errors import UserError
from ksqlkit.files import read_text, write_whole


@pytest.mark.parametrize("content", [b"a\nb", b"a\r\nb", b"a\rb", "\ufeffa\r\nb".encode()])
def test_text_without_a_byte_order_mark_and_with_one_kind_of_line_end(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.sql"
    path.write_bytes(content)
    assert read_text(path) == "a\nb"


@pytest.mark.parametrize(
    ("content", "message", "line", "column"),
    [
        (b"one\ntw\xe9o\n", "byte 0xe9 at offset 6", 2, 3),
        ("\ufeffone\nü".encode() + b"\x80", "byte 0x80 at offset 9", 2, 2),
        ("one".encode("utf-16"), "UTF-16, not UTF-8", 1, None),
        (b"one\ntwo\0", "NUL character", 2, None),
    ],
)
def test_what_is_not_text_is_placed(
    tmp_path: Path, content: bytes, message: str, line: int, column: int | None
) -> None:
    path = tmp_path / "a.sql"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_text(path)
    place = caught.value.location
    assert place is not None
    assert (place.file, place.line, place.column) == (str(path), line, column)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_text(tmp_path)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_whole(tmp_path / "folder", b"never")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "folder"]
