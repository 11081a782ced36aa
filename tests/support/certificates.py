"""Certificates of a test's own, by openssl: an authority, and what it signs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def missing() -> str | None:
    """Why there can be none here, or None."""
    return None if shutil.which("openssl") else "there is no openssl on this machine"


class Authority:
    """Signs certificates for loopback; each is NAME.pem, its key NAME.key, both together NAME.both."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.name = folder, name
        self.certificate = folder / f"{name}.pem"
        self._openssl(
            *(
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "30",
            ),
            *("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem"),
        )

    def sign(self, name: str, *, expired: bool = False) -> Path:
        """The certificate of that name, whose last day was long ago if `expired`."""
        self._openssl(
            *(
                "req",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-subj",
                f"/CN={name}",
            ),
            *("-keyout", f"{name}.key", "-out", f"{name}.csr"),
        )
        extensions = self.folder / "loopback.txt"
        extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        days = "-1" if expired else "30"
        self._openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", f"{self.name}.pem", "-CAkey", f"{self.name}.key"),
            *("-CAcreateserial", "-days", days, "-extfile", extensions.name, "-out", f"{name}.pem"),
        )
        made = self.folder / f"{name}.pem"
        both = self.folder / f"{name}.both"
        both.write_text((self.folder / f"{name}.key").read_text() + made.read_text())
        return made

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)
