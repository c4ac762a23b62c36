"""Requests to AWS: its chain of credentials, and Signature Version 4, both botocore's.

botocore is imported when a provider is configured to sign: it comes with the extra `bedrock`.
"""

from collections.abc import Callable
from math import inf
from typing import Any, Protocol

import msgspec

from gateway.call import Headers
from gateway.errors import Unavailable
from gateway.secret import Secret
from providers.transport.credential_cache import CredentialCache, CredentialLease
from providers.transport.engine import Request, parse_base_url

REFRESH_SECONDS = 60.0
"""Seconds between two looks at credentials that expire: botocore renews them when they are due."""
USABLE_SECONDS = 540.0
"""Seconds for which botocore hands out none that would have less left."""


AwsKeys = tuple[Secret, Secret, Secret | None]
"""Access key id, secret access key and session token."""


class AwsCredentials(Protocol):
    """What a signature is made with."""

    access_key: str
    secret_key: str
    token: str | None


def make_credential_fetcher(
    profile: str | None, given: AwsKeys | None
) -> Callable[[bool], CredentialLease[AwsCredentials]]:
    """Looks for credentials where AWS's own programs do: variables, profile, SSO, role, instance.

    Blocks. ModuleNotFoundError at once, where botocore is not installed; Unavailable when asked.
    """
    from botocore.credentials import RefreshableCredentials  # noqa: PLC0415 - a quarter of a second
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    from botocore.session import Session  # noqa: PLC0415

    found: Any = None

    def fetch(refused: bool) -> CredentialLease[AwsCredentials]:
        nonlocal found
        try:
            if found is None or refused:
                session = Session(profile=profile)
                if given is not None:
                    session.set_credentials(*(each and each.reveal() for each in given))
                found = session.get_credentials()
            if found is None:
                raise Unavailable(
                    "no AWS credentials were found where AWS's programs look for them"
                )
            frozen: AwsCredentials = found.get_frozen_credentials()
        except (BotoCoreError, OSError, ValueError) as fault:
            # Its words may hold what a credential process printed.
            kind = type(fault).__name__
            raise Unavailable(f"the AWS credentials could not be had: {kind}") from None
        expiring = isinstance(found, RefreshableCredentials)
        return (
            CredentialLease(frozen, REFRESH_SECONDS, USABLE_SECONDS)
            if expiring
            else CredentialLease(frozen, inf, inf)
        )

    return fetch


def make_signature_headers(
    credentials: AwsCredentials, scope: tuple[str, str], method: str, url: str, body: bytes
) -> Headers:
    """The headers that sign a JSON request for a (service, region)."""
    from botocore.auth import SigV4Auth  # noqa: PLC0415 - `chain` has imported it
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415

    signed = AWSRequest(method, url, {"content-type": "application/json"}, body)
    SigV4Auth(credentials, *scope).add_auth(signed)
    return [
        (name.lower().encode(), value.encode())
        for name, value in signed.headers.items()
        if name.lower() != "content-type"
    ]


class RequestSigner:
    """Signs requests to one service at one address."""

    def __init__(
        self, credentials: CredentialCache[AwsCredentials], service: str, region: str, url: str
    ) -> None:
        self._credentials = credentials
        self._scope = (service, region)
        at = parse_base_url(url)
        self._origin = f"{'https' if at.tls else 'http'}://{at.authority}{at.path.decode()}"

    async def sign_request(
        self, request: Request, refused: AwsCredentials | None = None
    ) -> tuple[Request, AwsCredentials]:
        """The request with its signature, and the credentials that made it. Unavailable."""
        credentials = await self._credentials.get_credential(refused)
        url = self._origin + request.target.decode()
        method = request.method.decode()
        headers = make_signature_headers(credentials, self._scope, method, url, request.body)
        signed = msgspec.structs.replace(request, headers=[*request.headers, *headers])
        return signed, credentials
