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
from providers.transport.credential_cache import CredentialLease

OAUTH_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
REFRESH_BEFORE = 300.0
"""Seconds before its end at which a token is asked for anew."""
UNUSABLE_BEFORE = 10.0
"""Seconds before its end from which on a token is not used."""
TOKEN_TIMEOUT = 20.0
_CREDENTIAL_READERS = {
    "authorized_user": ("google.oauth2.credentials", "from_authorized_user_file"),
    "external_account": ("google.auth.identity_pool", "from_file"),
    "service_account": ("google.oauth2.service_account", "from_service_account_file"),
}
"""google-auth's reader of any kind is deprecated: it takes whatever a file asks for."""


def make_token_fetcher(file: str | None) -> Callable[[bool], CredentialLease[str]]:
    """Gets tokens of the credentials in a file, else of the application's default ones.

    Blocks. ModuleNotFoundError at once, where google-auth is not installed; Unavailable when asked.
    """
    import google.auth  # noqa: PLC0415 - a fifth of a second
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415

    library: Any = google.auth  # typed in part
    credentials: Any = None

    def fetch(refused: bool) -> CredentialLease[str]:
        nonlocal credentials
        try:
            if credentials is None or refused:
                credentials = _read_credentials(file) if file else library.default([OAUTH_SCOPE])[0]
            credentials.refresh(_send_token_request)
        except (GoogleAuthError, msgspec.MsgspecError, OSError, ValueError) as fault:
            # Its words may hold what the token's server answered.
            kind = type(fault).__name__
            raise Unavailable(f"no Google access token could be had: {kind}") from None
        left = _get_seconds_left(credentials.expiry)
        return CredentialLease(
            str(credentials.token), max(left - REFRESH_BEFORE, left / 2), left - UNUSABLE_BEFORE
        )

    return fetch


class _CredentialsFile(Struct):
    type: str = ""


def _read_credentials(file: str) -> Any:
    """The credentials in a file, each kind by its own reader. ValueError for another kind."""
    kind = decode(Path(file).read_bytes(), _CredentialsFile).type
    if kind not in _CREDENTIAL_READERS:
        raise ValueError(kind)
    module, name = _CREDENTIAL_READERS[kind]
    return getattr(importlib.import_module(module).Credentials, name)(file, scopes=[OAUTH_SCOPE])


def _get_seconds_left(expiry: datetime | None) -> float:
    """Seconds until a moment that is in UTC without saying so; None is never."""
    if expiry is None:
        return inf
    return (expiry.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()


class _TokenResponse:
    """What google-auth wants of an HTTP answer."""

    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self.status = status
        self.headers = headers
        self.data = data


def _send_token_request(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = None,
    **_: object,
) -> _TokenResponse:
    """google-auth's transport; the one it ships needs another HTTP library."""
    import httpx2  # noqa: PLC0415 - 60 ms to import
    from google.auth.exceptions import TransportError  # noqa: PLC0415

    try:
        answer = httpx2.request(
            method, url, content=body, headers=headers, timeout=timeout or TOKEN_TIMEOUT
        )
    except httpx2.HTTPError as fault:
        raise TransportError(type(fault).__name__) from None  # type: ignore[no-untyped-call]
    return _TokenResponse(answer.status_code, answer.headers, answer.content)
