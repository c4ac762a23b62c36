"""The faults of the gateway, by who ended the call.

GatewayError                    500 api_error
|- CallError                    the client's doing
|  |- InvalidRequest            400 invalid_request_error
|  |  `- UnusableMedia          400 multi_modal_error
|  |- Unauthenticated           401 authentication_error
|  |- Forbidden                 403 permission_error
|  |- NotFound                  404 not_found_error
|  |- MethodNotAllowed          405 invalid_request_error
|  |- UpgradeRefused            426 invalid_request_error
|  |- BodyTimeout               408 timeout_error
|  `- TooLarge                  413 request_too_large
|- UpstreamError                the upstream's doing
|  |- Refused                   its own status and words
|  |- Unreachable               502 api_error: no connection, nothing was sent
|  |- Cut                       502 api_error: it hung up before its answer was whole
|  |- BadAnswer                 502 api_error: bytes that are no answer
|  `- UpstreamTimeout           504 upstream_timeout
`- Unavailable                  503 api_error: our doing: draining, pool full
   `- Resting                   429 rate_limit_error: every key of the provider rests

`kind` is the word of the Messages dialect; each dialect renders it in its own words.
"""

from collections.abc import Mapping


class GatewayError(Exception):
    """A fault that a client gets to see, before the first byte as a status, after it in-band."""

    status: int = 500
    kind: str = "api_error"
    code: str | int | None = None
    param: str | None = None
    should_retry: bool | None = None
    retry_after: float | None = None
    upstream_status: int | None = None
    """What the upstream answered, where the client gets another status."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        kind: str | None = None,
        code: str | int | None = None,
        param: str | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        if status is not None:
            self.status = status
        if kind is not None:
            self.kind = kind
        if code is not None:
            self.code = code
        if param is not None:
            self.param = param


class CallError(GatewayError):
    """The client's request cannot be served as it is."""

    status = 400
    kind = "invalid_request_error"
    should_retry: bool | None = False


class InvalidRequest(CallError):
    """A field is missing, mistyped or impossible; `param` is its path."""


class UnusableMedia(InvalidRequest):
    """An image, a document or a sound that the target cannot be given; `details` say so."""

    kind = "multi_modal_error"
    code = "multi_modal_error"

    def __init__(self, field: str, reason: str) -> None:
        details = {
            "enhancement_phase": "phase_1_multi_modal",
            "feature": "image_content_conversion",
            "fallback_applied": False,
        }
        super().__init__(f"{field}: {reason}", param=field, details=details)


class Unauthenticated(CallError):
    """No credential, or one that is not known."""

    status = 401
    kind = "authentication_error"
    code = "invalid_api_key"


class Forbidden(CallError):
    """A known caller without the right."""

    status = 403
    kind = "permission_error"


class NotFound(CallError):
    """No such route, provider or model."""

    status = 404
    kind = "not_found_error"


class MethodNotAllowed(CallError):
    """The path exists, the method does not."""

    status = 405


class UpgradeRefused(CallError):
    """A WebSocket is asked for where there is none."""

    status = 426


class BodyTimeout(CallError):
    """The request's body stopped arriving."""

    status = 408
    kind = "timeout_error"
    should_retry = None


class TooLarge(CallError):
    """The request's body is over the limit."""

    status = 413
    kind = "request_too_large"
    code = "request_too_large"


class UpstreamError(GatewayError):
    """The upstream failed."""

    status = 502


class Refused(UpstreamError):
    """The upstream answered with an error of its own."""


class Unreachable(UpstreamError):
    """No connection could be made; nothing was sent."""

    code = "bad_gateway"


class Cut(UpstreamError):
    """The upstream hung up before its answer was whole."""

    code = "bad_gateway"


class BadAnswer(UpstreamError):
    """The upstream sent bytes that are no answer in its dialect."""

    code = "bad_gateway"


class UpstreamTimeout(UpstreamError):
    """A named timeout ran out: `connect`, `pool`, `first_byte`, `idle` or `total`."""

    status = 504
    kind = "upstream_timeout"

    def __init__(self, which: str, seconds: float) -> None:
        super().__init__(
            "Upstream request timed out. Consider increasing REQUEST_TIMEOUT. "
            f"({which} timeout of {seconds:g} s)",
            # "read" is the older word for idle, which clients of this kind of gateway know
            code="read_timeout" if which == "idle" else f"{which}_timeout",
            details={"timeout": which, "seconds": seconds},
        )
        self.which = which


class Unavailable(GatewayError):
    """The gateway itself cannot take the call now."""

    status = 503
    code = "service_unavailable"


class AllKeysCoolingDown(Unavailable):
    """Every key of a provider rests after what the upstream said; nothing was sent."""

    status = 429
    kind = "rate_limit_error"
    code = "rate_limit_exceeded"
