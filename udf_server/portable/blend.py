"""The mean of boosted trees and a forest: the margins of one after those of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from udf_server.models.blend import blend_parts
from udf_server.portable import boosted, forest
from udf_server.portable.document import Walkable

if TYPE_CHECKING:
    from udf_server.models.store import Metadata


def read(metadata: Metadata, content: bytes) -> Walkable:
    """Its members."""
    import numpy as np

    (first, trees), (second, wood) = blend_parts(metadata, content)
    members = [boosted.read(first, trees), forest.read(second, wood)]
    return Walkable(
        {"blend": [member.parts for member in members]},
        lambda rows: np.hstack([member.margins(rows) for member in members]),
        [np.concatenate(found) for found in zip(*(member.edges for member in members), strict=True)],
    )
