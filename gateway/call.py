"""A request on its way in."""

from collections.abc import Callable
from functools import lru_cache
from typing import Self

import msgspec
from msgspec import Raw, Struct

from gateway.capability.record import Capability
from gateway.dialect import Dialect, Fields
from gateway.errors import GatewayError
from gateway.neutral.events import Prompt, Usage
from gateway.neutral.notes import LossReport
from gateway.neutral.texts import prompt_texts
from gateway.secret import Secret

Headers = list[tuple[bytes, bytes]]
"""Header fields in order, names in lower case."""

_encode = msgspec.json.encode


@lru_cache(maxsize=1024)
def _quoted(name: str) -> Raw:
    return Raw(_encode(name))


class Caller(Struct, frozen=True):
    """Who calls: the tenant's name, and the credential it brought for the upstream, if any."""

    name: str
    credential: Secret | None = None


class Target(Struct, frozen=True):
    """Where a call may go: a provider, a model there, and what that pair takes."""

    provider: str
    model: str
    dialects: tuple[Dialect, ...]
    capability: Capability = Capability()
    timeout: float | None = None
    """Seconds to the first byte and between two chunks; None: as the provider has it."""
    retries: int | None = None
    """Most tries after the first; None: as many as the whole call may have."""

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}"

    def takes(self, dialect: Dialect) -> bool:
        """Whether a call in the dialect goes there as it is."""
        return dialect in self.dialects or dialect.also_served_by(self)


class Attempt(Struct, frozen=True):
    """One try at an upstream: its status, or the kind of fault that ended it, and milliseconds."""

    target: str
    outcome: str
    ms: float


class Record(Struct):
    """What one call has come to so far, for headers and the log: the one mutable thing."""

    started: float  # of the monotonic clock, seconds, as are all times here
    caller: str = ""
    provider: str = ""
    model: str = ""
    attempts: list[Attempt] = []
    tried_keys: list[Secret] = []
    warnings: list[str] = []
    cache: str = ""
    upstream_id: str = ""
    secret: Secret | None = None
    """The gateway's key of the attempt under way: no upstream may echo it to a client."""
    auth_done: float = 0.0
    queued: float = 0.0
    connect: float = 0.0
    first_byte: float = 0.0
    convert: float = 0.0
    usage: Usage | None = None
    stored: bool = False
    """The gateway keeps the answer for a client that goes on from it by its id."""
    previous: str | None = None
    """The id of the answer that the client goes on from, found and put before its input."""
    relayed: str = ""
    """The target whose own answer a Responses client gets; it keeps that itself."""
    tell: Callable[[GatewayError], bytes] | None = None
    """Ends the stream under way with an error, where its dialect takes more than the error."""
    end: str = ""  # complete, client_gone, upstream_error, rejected, drained, failed
    error: str = ""


class Call(Struct, frozen=True):
    """One request; never changed, only replaced."""

    id: str
    dialect: Dialect
    model: str
    stream: bool
    fields: Fields
    headers: Headers
    record: Record
    caller: Caller = Caller("anonymous")
    target: Target | None = None
    targets: tuple[Target, ...] = ()
    """Every target in the order of preference; `target` is the one being tried."""
    body: bytes = b""
    """What the client sent, to be searched without a copy; its members refer to it anyway."""
    converted: bool = False
    """Its answer will be read whole on its way back: nobody else need look into it."""

    def with_model(self, model: str) -> Self:
        """The same call for another model name."""
        return msgspec.structs.replace(
            self, model=model, fields=self.fields | {"model": _quoted(model)}
        )

    def with_field(self, name: str, value: object) -> Self:
        """The same call with one top-level member of its body set."""
        fields = self.fields | {name: value if isinstance(value, Raw) else Raw(_encode(value))}
        return msgspec.structs.replace(self, fields=fields)

    def with_caller(self, caller: Caller) -> Self:
        """The same call, its caller known."""
        return msgspec.structs.replace(self, caller=caller)

    def with_targets(self, targets: tuple[Target, ...]) -> Self:
        """The same call, the first of its targets to be tried."""
        return msgspec.structs.replace(self, targets=targets, target=targets[0])

    def routed(self, target: Target) -> Self:
        """The same call on its way to a target."""
        return msgspec.structs.replace(self, target=target)

    def in_dialect(self, dialect: Dialect, fields: Fields, *, converted: bool = False) -> Self:
        """The same call in another dialect; `converted` when its answer will be converted back."""
        return msgspec.structs.replace(self, dialect=dialect, fields=fields, converted=converted)

    def header(self, name: bytes) -> bytes | None:
        """The first header of that lower-case name."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def prompt(self) -> Prompt:
        """Read the request in neutral form. Raises InvalidRequest where there is no prompt."""
        return self.dialect.read_prompt(self.fields, LossReport())

    def texts(self) -> list[str]:
        """Return the texts of the request in order, in any dialect; see `prompt_texts`.

        Raises InvalidRequest where the request cannot be read.
        """
        if self.dialect.read_texts is not None:
            return self.dialect.read_texts(self.fields)
        return prompt_texts(self.prompt())

    def encode(self) -> bytes:
        """The body: the top level encoded anew, its values the client's own bytes."""
        return _encode(self.fields)
