"""Thought signatures that all workers know: a client's next call may come to any of them."""

import msgspec

from gateway.dialects.common.signatures import PROCESS_SIGNATURES
from gateway.workers.peers import Peers

_Told = tuple[str, tuple[str, str], str]


def share_signatures(peers: Peers) -> None:
    """Has the other workers know what one keeps."""
    if peers.count == 1:
        return

    async def hear(about: bytes) -> bytes:
        PROCESS_SIGNATURES.keep(*msgspec.msgpack.decode(about, type=_Told))
        return b""

    def tell(tenant: str, key: tuple[str, str], signature: str) -> None:
        peers.tell("signature", msgspec.msgpack.encode((tenant, key, signature)))

    peers.answer("signature", hear)
    PROCESS_SIGNATURES.on_keep = tell
