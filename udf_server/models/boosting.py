"""XGBoost without what we do not use of it."""

from __future__ import annotations

import ctypes
import math
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class _Frame:
    """What XGBoost describes a matrix by: a handle, kept for the next call as making it takes a third of the time of
    one row. It frees itself with the thread it belongs to."""

    def __init__(self, library: Any) -> None:
        self.handle = ctypes.c_void_p()
        self._free = library.XGDMatrixFree
        if library.XGProxyDMatrixCreate(ctypes.byref(self.handle)):
            self.handle = ctypes.c_void_p()  # each call makes its own

    def __del__(self) -> None:
        if self.handle.value:
            self._free(self.handle)


_frames = threading.local()


def _frame(library: Any) -> ctypes.c_void_p:
    """This thread's handle."""
    found: _Frame | None = getattr(_frames, "own", None)
    if found is None:
        found = _frames.own = _Frame(library)
    return found.handle


def free_cores() -> int:
    """How many threads are worth starting now. Trees do not depend on it; but threads that have to wait for a core that
    others use make each other wait at every step, and are slower than one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, 8, round(cores - os.getloadavg()[0])))


class Predictor:
    """A booster's `inplace_predict` of float64 matrices through XGBoost's C interface: the same numbers without the
    Python around the call, which for one row is most of its time. Thread-safe, as that function is."""

    def __init__(self, booster: Any) -> None:
        self._booster = booster
        self._width = int(booster.num_features())
        core = sys.modules["xgboost.core"]
        self._library = getattr(core, "_LIB", None)
        self._call = getattr(self._library, "XGBoosterPredictFromDense", None)
        self._settings = (
            b'{"type":0,"training":false,"iteration_begin":0,"iteration_end":0,"missing":NaN,'
            b'"strict_shape":false,"cache_id":0}'
        )

    def __call__(self, matrix: NDArray[np.float64]) -> NDArray[np.float32]:
        """What `inplace_predict` answers: one number per row, or per row and class."""
        import numpy as np

        if self._call is None or matrix.ndim != 2 or matrix.shape[1] != self._width or not len(matrix):
            plain: NDArray[np.float32] = self._booster.inplace_predict(matrix)
            return plain
        place, shape = matrix.__array_interface__["data"][0], matrix.shape
        described = (
            b'{"data":[%d,true],"shape":[%d,%d],"strides":[%d,%d],"typestr":"<f8","version":3}'
            % (place, *shape, *matrix.strides)
        )  # fmt: skip
        sizes = ctypes.POINTER(ctypes.c_uint64)()
        dimensions = ctypes.c_uint64()
        values = ctypes.POINTER(ctypes.c_float)()
        failed = self._call(
            self._booster.handle,
            described,
            self._settings,
            _frame(self._library),
            ctypes.byref(sizes),
            ctypes.byref(dimensions),
            ctypes.byref(values),
        )
        if failed:  # let it say by itself what is wrong
            found: NDArray[np.float32] = self._booster.inplace_predict(matrix)
        else:
            # The memory is the booster's, until this thread's next call.
            extent = sizes[: dimensions.value]
            out = np.frombuffer(ctypes.string_at(values, 4 * math.prod(extent)), np.float32)
            found = out if len(extent) == 1 else out.reshape(extent)
        return found
