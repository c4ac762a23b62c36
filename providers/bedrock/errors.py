"""AWS's errors in the words of the Messages API."""

import msgspec
from msgspec import Struct

from gateway.wire.raw_json import decode
from providers.transport.cloud_messages import write_error_body

_ERRORS = {
    "accessdeniedexception": (403, "permission_error"),
    "expiredtokenexception": (403, "authentication_error"),
    "incompletesignatureexception": (403, "authentication_error"),
    "internalserverexception": (500, "api_error"),
    "invalidsignatureexception": (403, "authentication_error"),
    "missingauthenticationtokenexception": (403, "authentication_error"),
    "modelerrorexception": (502, "api_error"),
    "modelnotreadyexception": (529, "overloaded_error"),
    "modelstreamerrorexception": (502, "api_error"),
    "modeltimeoutexception": (504, "timeout_error"),
    "resourcenotfoundexception": (404, "not_found_error"),
    "servicequotaexceededexception": (429, "rate_limit_error"),
    "serviceunavailableexception": (503, "api_error"),
    "throttlingexception": (429, "rate_limit_error"),
    "unrecognizedclientexception": (403, "authentication_error"),
    "validationexception": (400, "invalid_request_error"),
}
"""AWS's names: the status, and the word of the Messages API."""
STALE_CREDENTIAL_ERRORS = frozenset({"expiredtokenexception", "unrecognizedclientexception"})
"""What is said of credentials that newer ones may take the place of."""


class TranslatedError(Struct, frozen=True):
    """An error: AWS's bare name of it, the status it means, and a Messages body that tells it."""

    name: str
    status: int
    body: bytes


class _AwsError(Struct):
    """The letter case of the words differs between AWS's layers."""

    message: str | None = None
    capital: str | None = msgspec.field(name="Message", default=None)
    type: str = msgspec.field(name="__type", default="")
    kind: str = msgspec.field(name="type", default="")


def translate_error(
    named: str, status: int, payload: bytes, words: str = ""
) -> TranslatedError | None:
    """An error by the name that stands beside it or in its payload; None where nothing is said."""
    try:
        said = decode(payload, _AwsError) if payload else _AwsError()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        said = _AwsError()
    name = _strip_error_name(named or said.type)
    if said.kind == "error":
        return TranslatedError(name, status, payload)  # told in the words of Messages already
    text = said.message or said.capital or words or name
    if not text:
        return None
    plain = "invalid_request_error" if status < 500 else "api_error"
    status, kind = _ERRORS.get(name, (status, plain))
    return TranslatedError(name, status, write_error_body(kind, text))


def _strip_error_name(name: str) -> str:
    """A name may come with a namespace before it and an address after it."""
    return name.partition(":")[0].rpartition("#")[2].strip().lower()
