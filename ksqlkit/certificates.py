"""Whose certificates our clients trust."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


def trusted_authorities() -> ssl.SSLContext | bool:
    """httpx's `verify`: the authorities in SSL_CERT_FILE or SSL_CERT_DIR where one is set, else httpx's own. Clients
    without `trust_env`, which would also use proxies, ask this."""
    if not {"SSL_CERT_FILE", "SSL_CERT_DIR"} & os.environ.keys():
        return True
    import ssl

    return ssl.create_default_context()
