"""Feature rows, as SQL gives them, as the matrix that a model takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from udf_server.errors import ModelError
from udf_server.function import RowError
from udf_server.models.loaded import LoadedModel, to_matrix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from udf_server.models.store import Metadata

    Floats = NDArray[np.float64]


_NUMBERS: Final = {float, int, bool, type(None)}


def matrix_of(model: LoadedModel, columns: Sequence[Sequence[Any]]) -> Floats:
    """Rows by features: from one column of dicts by feature name (a STRUCT or a MAP, names in any case), or from a
    column per feature in the model's order. None is a missing value. Raises RowError for what does not fit."""
    metadata = model.metadata
    names = metadata.features
    if len(columns) == 1 and any(isinstance(v, Mapping) for v in columns[0]):
        return _from_dicts(metadata, [row or {} for row in columns[0]])
    _check_width(metadata, len(columns))
    if not metadata.categories and not any(isinstance(v, str | bool) for c in columns for v in c):
        return to_matrix(columns)
    return to_matrix([_numbers(metadata, n, c) for n, c in zip(names, columns, strict=True)])


def checked_matrix(model: LoadedModel, matrix: Floats) -> Floats:
    """A matrix of numbers, if it is as wide as the model's. Raises RowError."""
    _check_width(model.metadata, matrix.shape[1])
    return matrix_of(model, matrix.T.tolist()) if model.metadata.categories else matrix


def _check_width(metadata: Metadata, width: int) -> None:
    names = metadata.features
    if width != len(names):
        shown = f"{len(names)} features ({', '.join(names)})"
        raise RowError(f"model {metadata.name} takes {shown}, not {width}")


def _from_dicts(metadata: Metadata, rows: Sequence[Mapping[str, Any]]) -> Floats:
    names = metadata.features
    wanted = [name.upper() for name in names]
    known = set(wanted)
    rows = [row if row.keys() <= known else {k.upper(): v for k, v in row.items()} for row in rows]
    for row in rows:
        if unknown := row.keys() - known:
            raise RowError(f"model {metadata.name} has no feature {min(unknown)}; it has {', '.join(names)}")
    columns = [[row.get(name) for row in rows] for name in wanted]
    return to_matrix([_numbers(metadata, n, c) for n, c in zip(names, columns, strict=True)])


def _numbers(metadata: Metadata, name: str, column: Sequence[Any]) -> Sequence[float | None]:
    """Values as numbers, words of a category as their place in it; a word never seen counts as missing."""
    if name not in metadata.categories and set(map(type, column)) <= _NUMBERS:
        return column
    places = {word: float(at) for at, word in enumerate(metadata.categories.get(name, ()))}
    out: list[float | None] = []
    for value in column:
        if value is None:
            out.append(None)
        elif places:
            out.append(places.get(str(value)))
        else:
            try:
                out.append(float(value))
            except (TypeError, ValueError):
                shown = repr(value)[:40]
                raise RowError(f"feature {name} of model {metadata.name} is a number, not {shown}") from None
    return out


def attributions_of(model: LoadedModel, columns: Sequence[Sequence[Any]]) -> list[dict[str, float]]:
    """What each feature adds to the score of each row, by name. Raises RowError."""
    try:
        found = model.attributions(matrix_of(model, columns)).tolist()
    except ModelError as error:
        raise RowError(str(error), "UNAVAILABLE") from error
    return [dict(zip(model.metadata.features, row, strict=True)) for row in found]
