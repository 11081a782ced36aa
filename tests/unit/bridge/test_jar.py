from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import orjson
import pytest

from ksqlkit.bridge import build_jar, other_jars
from ksqlkit.errors import DataError


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    path = tmp_path / "runtime.jar"
    with zipfile.ZipFile(path, "w") as jar:
        jar.writestr("io/ksqlkit/bridge/RemoteFunction.class", b"compiled")
        jar.writestr("META-INF/maven/pom.xml", b"not needed")
    return path


def function(name: str, returns: str = "DOUBLE") -> dict[str, Any]:
    overload = {"args": [{"name": "X", "type": "DOUBLE"}], "variadic": False, "returns": returns}
    return {
        "name": name,
        "description": "d",
        "overloads": [overload],
        "origin": "/home/somebody/functions/a.py",
    }


def test_a_class_per_function_and_the_manifest(runtime: Path, tmp_path: Path) -> None:
    built = build_jar([function("ONE"), function("TWO")], runtime, tmp_path / "out.jar")
    with zipfile.ZipFile(built.path) as jar:
        names = set(jar.namelist())
        manifest = orjson.loads(jar.read("ksqlkit/functions.json"))["functions"]
    assert {f"io/ksqlkit/bridge/functions/{n}.class" for n in built.functions} <= names
    assert "io/ksqlkit/bridge/RemoteFunction.class" in names
    assert not [n for n in names if n.startswith(("META-INF/maven", "io/confluent", "org/"))]
    assert [f["name"] for f in manifest] == list(built.functions)
    assert "AI" in built.functions
    assert not any("origin" in f for f in manifest), "where the author's files lie is nobody's business"


def test_the_same_manifest_gives_the_same_bytes(runtime: Path, tmp_path: Path) -> None:
    for name in ("a.jar", "b.jar"):
        build_jar([function("ONE")], runtime, tmp_path / name)
    assert (tmp_path / "a.jar").read_bytes() == (tmp_path / "b.jar").read_bytes()


def test_what_would_keep_the_server_from_starting_is_left_out(runtime: Path, tmp_path: Path) -> None:
    given = [function("ABS"), function("SUM"), function("ONE"), function("ONE"), function("ODD", "NO_TYPE")]
    built = build_jar(given, runtime, tmp_path / "out.jar")
    assert built.functions[0] == "ONE"
    assert set(built.left_out) == {"ABS", "SUM", "ONE", "ODD"}
    assert "ksqlDB has a function of that name" in built.left_out["ABS"]


def test_nothing_to_load_and_no_runtime_are_errors(runtime: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no function that ksqlDB could load"):
        build_jar([function("ABS")], runtime, tmp_path / "out.jar")
    (tmp_path / "bad.jar").write_bytes(b"no zip")
    with pytest.raises(DataError, match="is no jar"):
        build_jar([function("ONE")], tmp_path / "bad.jar", tmp_path / "out.jar")
    with zipfile.ZipFile(tmp_path / "other.jar", "w") as jar:
        jar.writestr("A.class", b"")
    with pytest.raises(DataError, match="not the bridge's runtime"):
        build_jar([function("ONE")], tmp_path / "other.jar", tmp_path / "out.jar")
    assert not list(tmp_path.glob("out.jar*"))


def test_another_jar_beside_it_with_the_same_functions_is_told_of(runtime: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ext"
    folder.mkdir()
    build_jar([function("ONE"), function("OLD")], runtime, folder / "old.jar")
    (folder / "broken.jar").write_bytes(b"")
    with zipfile.ZipFile(folder / "connector.jar", "w") as jar:
        jar.writestr("A.class", b"")
    built = build_jar([function("ONE"), function("TWO")], runtime, folder / "new.jar")
    clashes = other_jars(built.path, built.functions)
    assert list(clashes) == [(folder / "old.jar").resolve()]
    assert "ONE" in clashes[(folder / "old.jar").resolve()]
    assert "TWO" not in clashes[(folder / "old.jar").resolve()]
