"""Credentials of a service account whose token server is a scripted one."""

from functools import cache
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


@cache
def _key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain).decode()


def service_account(file: Path, url: str) -> str:
    """Writes the key of an account; its path."""
    file.write_bytes(msgspec.json.encode({
        "type": "service_account", "client_email": "a@p.example", "private_key": _key(),
        "token_uri": f"{url}/token", "private_key_id": "1", "project_id": "p",
    }))  # fmt: skip
    return str(file)
