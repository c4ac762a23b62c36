"""A change made to a stream's bytes on their way to the client."""

from gateway.errors import GatewayError


class Step:
    """A change made to the bytes of a stream; by default, none. Derive from it and override."""

    done: bool = False
    """The stream is over for the client, whatever the source still has."""
    cut: bool = False
    """With `done`: the source still sends, so its connection is closed and not used again."""
    error: GatewayError | None = None
    """What ended the stream; raised to the reader after the bytes that came before it."""

    def feed(self, chunk: bytes) -> bytes:
        """Return what becomes of a chunk. Sets `error` instead of raising a GatewayError."""
        return chunk

    def finish(self) -> bytes:
        """Return what follows the last chunk; sets `error` where the stream ended too early."""
        return b""
