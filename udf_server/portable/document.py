"""The portable form of a model version: its numbers to the bit, and rows with the answers they must get.

    {"format": "ksqlkit-model-2", "sha256": "...", "name": "churn", "version": 3}
    {"features": [...], "link": "logistic", "base": "...", "trees": {...}, "vectors": {...}, ...}

The first line names and checks the second. Arrays are base64 of little-endian numbers (int32, float32 or float64), so
that none is rounded. `udf_server/java/README.md` says how a row walks through it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from udf_server.errors import ModelError
from udf_server.models.loaded import load_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from udf_server.models.store import Metadata

    Floats = NDArray[np.float64]

FORMAT: Final = "ksqlkit-model-2"
VECTORS: Final = 200


class NotPortable(ModelError):
    """The model has no form that others could walk to the same numbers."""


@dataclass(frozen=True, slots=True)
class Walkable:
    """What a kind's writer found: `parts` of the document, the `margins` of rows of inputs as its library computes
    them (rows by outputs), and the values at which each input decides, for the test vectors."""

    parts: Mapping[str, Any]
    margins: Callable[[Floats], Floats]
    edges: list[Floats]


def portable(metadata: Metadata, content: bytes) -> bytes:
    """The portable form of a model's bytes. Raises NotPortable, or ModelError for a model that does not load."""
    writer = _WRITERS.get(metadata.kind)
    if writer is None:
        raise NotPortable(
            f"model {metadata.name} is of kind {metadata.kind}; walked elsewhere can be {', '.join(_WRITERS)}"
        )
    return encode(metadata, writer(metadata, content))


def _of_rows(read: Callable[[Metadata, bytes], Walkable]) -> Callable[[Metadata, bytes], dict[str, Any]]:
    """The document of a model of rows."""

    def write(metadata: Metadata, content: bytes) -> dict[str, Any]:
        from udf_server.portable.vectors import vector_rows

        found, model = read(metadata, content), load_bytes(metadata, content)
        rows = vector_rows(found.edges, VECTORS)
        place = {name: at for at, name in enumerate(metadata.features)}
        return {
            "features": list(metadata.features),
            "categories": {name: list(words) for name, words in metadata.categories.items()},
            "derived": [(o, place[a], place[b]) for o, a, b in metadata.settings.get("derived", ())],
            "values": metadata.settings.get("task") == "regression",
            "threshold": metadata.settings.get("threshold"),
            **found.parts,
            "vectors": {
                "rows": packed(rows, "<f8"),
                "margins": packed(found.margins(rows), "<f8"),
                "values": packed(model.predict(rows), "<f8"),
            },
        }

    return write


def encode(metadata: Metadata, document: Mapping[str, Any]) -> bytes:
    """The file: a line that names and checks what follows, then the model."""
    known = {
        "name": metadata.name,
        "version": metadata.version,
        "classes": list(metadata.classes),
        "calibration": dict(metadata.calibration),
    }
    body = orjson.dumps({**known, **document})
    digest = hashlib.sha256(body).hexdigest()
    header = {"format": FORMAT, "sha256": digest, "name": metadata.name, "version": metadata.version}
    return orjson.dumps(header) + b"\n" + body


def digest_of(form: bytes) -> str:
    """The SHA-256 of a portable form's model, as its first line has it."""
    found: str = orjson.loads(form.partition(b"\n")[0])["sha256"]
    return found


def packed(values: Any, form: str) -> str:
    """An array in base64."""
    import numpy as np

    return base64.b64encode(np.ascontiguousarray(values, dtype=form).tobytes()).decode()


def _boosted(metadata: Metadata, content: bytes) -> dict[str, Any]:
    from udf_server.portable.boosted import read

    return _of_rows(read)(metadata, content)


def _forest(metadata: Metadata, content: bytes) -> dict[str, Any]:
    from udf_server.portable.forest import read

    return _of_rows(read)(metadata, content)


def _line(metadata: Metadata, content: bytes) -> dict[str, Any]:
    from udf_server.portable.line import read

    return _of_rows(read)(metadata, content)


def _blend(metadata: Metadata, content: bytes) -> dict[str, Any]:
    from udf_server.portable.blend import read

    return _of_rows(read)(metadata, content)


def _text(metadata: Metadata, content: bytes) -> dict[str, Any]:
    from udf_server.portable.text import read

    return read(metadata, content)


_WRITERS: Final[dict[str, Callable[[Metadata, bytes], dict[str, Any]]]] = {
    "xgboost": _boosted,
    "forest": _forest,
    "linear": _line,
    "blend": _blend,
    "text": _text,
}
