"""A certificate made on the spot."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Certificate:
    """A self-made certificate for 127.0.0.1 and localhost, and its key."""

    cert: Path
    key: Path

    def make_server_context(self) -> ssl.SSLContext:
        """A server's side of it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context


def make_certificate(folder: Path) -> Certificate:
    """A new certificate, by the system's openssl; skips the test where there is none."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl program to make a certificate with")
    made = Certificate(folder / "cert.pem", folder / "key.pem")
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
    files = ["-keyout", str(made.key), "-out", str(made.cert)]
    subprocess.run(
        [program, *command.split(), "-subj", "/CN=localhost", "-addext", names, *files],
        check=True,
        capture_output=True,
        timeout=20,
    )
    return made
