"""What is asked and said, apart from any dialect, for tests that cross them."""

from typing import Any, Literal, Protocol

import httpx2
from msgspec import Struct

Stop = Literal["end", "tools", "length", "refusal"]


class Called(Struct, frozen=True):
    """One tool call; `arguments` is a JSON object's text."""

    id: str
    name: str
    arguments: str


class ModelAnswer(Struct, frozen=True):
    """One answer of a model."""

    text: str = ""
    thinking: str = ""
    calls: tuple[Called, ...] = ()
    refusal: str = ""
    stop: Stop = "end"


class Ask(Struct, frozen=True):
    """One request; with `calls`, the model's earlier turn and what came of it."""

    text: str = "hello"
    system: str = ""
    images: tuple[str, ...] = ()
    """PNG files in base64."""
    tools: tuple[str, ...] = ()
    calls: tuple[Called, ...] = ()
    results: tuple[tuple[str, str], ...] = ()
    """Call ids with the text of each result."""
    thinks: bool = False


class Heard(Struct, frozen=True):
    """An answer's bytes as a client got them."""

    status: int
    kind: str
    body: bytes
    stream: bool
    headers: dict[str, str] = {}

    @property
    def warnings(self) -> str:
        """What a conversion could not carry."""
        return self.headers.get("x-gateway-warnings", "")


class HeardFault(Exception):
    """An error that a client was told whose official library is not here."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Ear:
    """A transport for an official client that answers everything with what was heard last."""

    def __init__(self) -> None:
        self.heard = Heard(200, "application/json", b"{}", stream=False)
        self.transport = httpx2.MockTransport(self._answer)

    def _answer(self, _: httpx2.Request) -> httpx2.Response:
        heard = self.heard
        return httpx2.Response(
            heard.status, headers={"content-type": heard.kind}, content=heard.body
        )


class Row(Protocol):
    """One dialect, from either end; nothing in it is the gateway's own code."""

    name: str
    family: str
    """The row of the capability table of an upstream."""
    capabilities: str
    """What its model takes beyond that, a TOML table."""

    def path(self, model: str, *, stream: bool) -> str:
        """Where a client posts."""

    def ask(self, ask: Ask, model: str, *, stream: bool) -> dict[str, Any]:
        """A client's request."""

    def asked(self, body: bytes) -> Ask:
        """What a request says that reached an upstream."""

    def turns(self, body: bytes) -> list[Any]:
        """The conversation of a request that reached an upstream, as it is written."""

    def streams(self, path: str, body: bytes) -> bool:
        """Whether a request that reached an upstream wants a stream."""

    def whole(self, said: ModelAnswer) -> bytes:
        """An upstream's whole answer."""

    def stream(self, said: ModelAnswer) -> list[bytes]:
        """An upstream's stream, each event apart."""

    def ends(self, frame: bytes) -> bool:
        """Whether an event of `stream` is the first after which the answer is whole."""

    def fault(self) -> bytes:
        """The body of a rate limit's error."""

    def fault_event(self) -> bytes:
        """An error inside a stream."""

    def hear(self, heard: Heard) -> ModelAnswer:
        """What the official client makes of an answer. Raises the client's own errors."""
