"""Libraries imported without what we do not use of them."""

from __future__ import annotations

import sys
from typing import Any


def import_xgboost() -> Any:
    """The xgboost module, imported without its scikit-learn wrappers: they bring scikit-learn and pandas along, 130 MB
    and most of the time to import. A process that imported scikit-learn or xgboost before (a function file that wants
    `XGBClassifier` imports sklearn at its top) has the whole.
    """
    if "xgboost" not in sys.modules and "sklearn" not in sys.modules:
        sys.modules["sklearn"] = None  # type: ignore[assignment]  # makes its import fail, as if not installed
        try:
            import xgboost
        finally:
            del sys.modules["sklearn"]
    else:
        import xgboost
    return xgboost
