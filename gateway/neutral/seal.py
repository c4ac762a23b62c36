"""Sealed reasoning, which a client carries from one provider's answer to the next call.

`PREFIX` + base64url of msgpack {p: provider, m: model, k: kind, d: data, h: 8 bytes of
HMAC-SHA-256}. Clients replay such blobs without knowing which provider made them; another provider
answers 400 to them.
"""

import base64
import binascii
import hashlib
import hmac
import secrets

import msgspec
from msgspec import Struct

PREFIX = "~gw01."
"""Begins with a character that is rare in requests: see `sealed_in`."""
_PREFIX = PREFIX.encode()
_MARK = _PREFIX[:1]
_TRIES = 64


def sealed_in(text: bytes) -> bool:
    """Whether the text contains `PREFIX`.

    Each large request is searched; finding a single byte is ten times as fast as finding a word.
    """
    at = text.find(_MARK)
    for _ in range(_TRIES):
        if at < 0 or text.startswith(_PREFIX, at):
            return at >= 0
        at = text.find(_MARK, at + 1)
    return at >= 0 and text.find(_PREFIX, at) >= 0


class Sealed(Struct, frozen=True):
    """The data, its kind ("signature", "redacted", ...), and the provider and model it is from."""

    provider: str
    model: str
    kind: str
    data: str


class _Wire(Struct):
    p: str
    m: str
    k: str
    d: str
    h: bytes


class Seal:
    """Seals and unseals with one key; by default a random one, valid until the process ends."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = hashlib.sha256(
            b"interlingua seal 1\0" + (key or secrets.token_bytes(32))
        ).digest()

    def seal(self, sealed: Sealed) -> str:
        """The blob that a client may carry."""
        wire = _Wire(sealed.provider, sealed.model, sealed.kind, sealed.data, self._mac(sealed))
        return PREFIX + base64.urlsafe_b64encode(msgspec.msgpack.encode(wire)).decode().rstrip("=")

    def unseal(self, blob: str) -> Sealed | None:
        """The content of the blob; None if this gateway did not make it."""
        if not blob.startswith(PREFIX):
            return None
        text = blob[len(PREFIX) :]
        try:
            packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            wire = msgspec.msgpack.decode(packed, type=_Wire)
        except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
            return None
        sealed = Sealed(wire.p, wire.m, wire.k, wire.d)
        return sealed if hmac.compare_digest(wire.h, self._mac(sealed)) else None

    def _mac(self, sealed: Sealed) -> bytes:
        packed = msgspec.msgpack.encode((sealed.provider, sealed.model, sealed.kind, sealed.data))
        return hmac.digest(self._key, packed, "sha256")[:8]
