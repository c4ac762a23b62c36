"""Access tokens of Google Cloud, from google-auth, which comes with the extra `vertex`."""

import importlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gateway.errors import Unavailable
from gateway.wire.raw_json import decode
from providers.transport.renew import Lease

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
EARLY = 300.0
"""Seconds before its end at which a token is asked for anew."""
LAST = 10.0
"""Seconds before its end from which on a token is not used."""
TIMEOUT = 20.0
_READERS = {
    "authorized_user": ("google.oauth2.credentials", "from_authorized_user_file"),
    "external_account": ("google.auth.identity_pool", "from_file"),
    "service_account": ("google.oauth2.service_account", "from_service_account_file"),
}
"""google-auth's reader of any kind is deprecated: it takes whatever a file asks for."""


def tokens(file: str | None) -> Callable[[bool], Lease[str]]:
    """Gets tokens of the credentials in a file, else of the application's default ones.

    Blocks. ModuleNotFoundError at once, where google-auth is not installed; Unavailable when asked.
    """
    import google.auth  # noqa: PLC0415 - a fifth of a second
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415

    library: Any = google.auth  # typed in part
    credentials: Any = None

    def fetch(refused: bool) -> Lease[str]:
        nonlocal credentials
        try:
            if credentials is None or refused:
                credentials = _read(file) if file else library.default([SCOPE])[0]
            credentials.refresh(_request)
        except (GoogleAuthError, msgspec.MsgspecError, OSError, ValueError) as fault:
            # Its words may hold what the token's server answered.
            kind = type(fault).__name__
            raise Unavailable(f"no Google access token could be had: {kind}") from None
        left = _left(credentials.expiry)
        return Lease(str(credentials.token), max(left - EARLY, left / 2), left - LAST)

    return fetch


class _File(Struct):
    type: str = ""


def _read(file: str) -> Any:
    """The credentials in a file, each kind by its own reader. ValueError for another kind."""
    kind = decode(Path(file).read_bytes(), _File).type
    if kind not in _READERS:
        raise ValueError(kind)
    module, name = _READERS[kind]
    return getattr(importlib.import_module(module).Credentials, name)(file, scopes=[SCOPE])


def _left(expiry: datetime | None) -> float:
    """Seconds until a moment that is in UTC without saying so; None is never."""
    if expiry is None:
        return inf
    return (expiry.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()


class _Answer:
    """What google-auth wants of an HTTP answer."""

    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self.status = status
        self.headers = headers
        self.data = data


def _request(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = None,
    **_: object,
) -> _Answer:
    """google-auth's transport; the one it ships needs another HTTP library."""
    import httpx2  # noqa: PLC0415 - 60 ms to import
    from google.auth.exceptions import TransportError  # noqa: PLC0415

    try:
        answer = httpx2.request(
            method, url, content=body, headers=headers, timeout=timeout or TIMEOUT
        )
    except httpx2.HTTPError as fault:
        raise TransportError(type(fault).__name__) from None  # type: ignore[no-untyped-call]
    return _Answer(answer.status_code, answer.headers, answer.content)
