"""The plugin API of interlingua: all that a middleware or provider of your own needs."""

from gateway.call import Call, Caller, Target
from gateway.capability.record import Capability
from gateway.config.faults import ConfigError
from gateway.dialect import Dialect
from gateway.errors import (
    BadAnswer,
    CallError,
    Cut,
    Forbidden,
    GatewayError,
    InvalidRequest,
    NotFound,
    Refused,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unreachable,
    UpstreamError,
    UpstreamTimeout,
)
from gateway.lanes.step import Step
from gateway.lanes.text_filter import TextFilter
from gateway.plugin import Middleware, Next, Preview, Provider, Runtime
from gateway.reply import Reply, Source, Stream

__all__ = [
    "BadAnswer",
    "Call",
    "CallError",
    "Caller",
    "Capability",
    "ConfigError",
    "Cut",
    "Dialect",
    "Forbidden",
    "GatewayError",
    "InvalidRequest",
    "Middleware",
    "Next",
    "NotFound",
    "Preview",
    "Provider",
    "Refused",
    "Reply",
    "Runtime",
    "Source",
    "Step",
    "Stream",
    "Target",
    "TextFilter",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "Unreachable",
    "UpstreamError",
    "UpstreamTimeout",
]
