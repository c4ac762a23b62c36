"""An engine without a network, and providers on it."""

from msgspec import Struct, structs

from gateway.call import Call, Caller, Headers, Target
from gateway.config.load import Config, Server
from gateway.config.schema import Timeouts
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.errors import GatewayError
from gateway.neutral.seal import Seal
from gateway.plugin import Runtime
from gateway.secret import Secret
from providers.transport.engine import EngineStats, Request, Response, parse_header_block
from providers.transport.provider import HttpProvider
from tests.fakes import calls


class Chunks:
    """A source of chunks; a fault in their place is raised."""

    def __init__(self, *chunks: bytes | GatewayError) -> None:
        self._chunks = list(chunks)
        self.closed = 0

    async def read(self) -> bytes:
        chunk = self._chunks.pop(0) if self._chunks else b""
        if isinstance(chunk, GatewayError):
            raise chunk
        return chunk

    async def aclose(self) -> None:
        self.closed += 1


class FakeEngine:
    """Gives the answers in turn, the last one again and again; keeps what it was sent."""

    def __init__(self, *answers: Response | GatewayError) -> None:
        self._answers = list(answers)
        self.sent: list[Request] = []
        self.timeouts: list[Timeouts] = []
        self.closed = False

    async def send(self, request: Request, timeouts: Timeouts) -> Response:
        self.sent.append(request)
        self.timeouts.append(timeouts)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, GatewayError):
            raise answer
        return answer

    async def aclose(self) -> None:
        self.closed = True

    def stats(self) -> EngineStats:
        return EngineStats(0, 0, 0)

    @property
    def headers(self) -> Headers:
        """The provider's and the call's headers of the last request."""
        return parse_header_block(self.sent[-1].header_block) + list(self.sent[-1].headers)


JSON: Headers = [(b"content-type", b"application/json")]
EVENTS: Headers = [(b"content-type", b"text/event-stream")]


def answer(
    body: bytes = b'{"choices":[]}', status: int = 200, headers: Headers | None = None
) -> Response:
    """A whole answer."""
    return Response(status, JSON + (headers or []), Chunks(body))


def streamed(*chunks: bytes | GatewayError, headers: Headers | None = None) -> Response:
    """A stream."""
    return Response(200, EVENTS + (headers or []), Chunks(*chunks))


def runtime() -> Runtime:
    """A site without anything."""
    return Runtime(Config(server=Server()), {}, Seal(b"test"))


class Made(Struct):
    """A bound provider and its engine."""

    provider: HttpProvider
    engine: FakeEngine

    async def ask(self, call: Call | None = None) -> object:
        """The reply to a call, or its fault."""
        try:
            return await self.provider(call or to(self.provider))
        except GatewayError as fault:
            return fault


def made(provider: HttpProvider, *answers: Response | GatewayError, name: str = "up") -> Made:
    """The provider bound under that name, its engine a fake one."""
    provider.bind(name, runtime())
    engine = FakeEngine(*(answers or (answer(),)))
    provider._engine = engine
    return Made(provider, engine)


def to(
    provider: HttpProvider, body: dict[str, object] | None = None, *, model: str = "m",
    dialect: Dialect = CHAT, headers: Headers | None = None, own: str = "",
) -> Call:  # fmt: skip
    """A call whose target is the provider."""
    call = calls.make_call(body, dialect=dialect, headers=headers)
    target = Target("up", model, provider.dialects, provider.capability(model))
    call = call.with_targets((target,)).with_model(model)
    return structs.replace(call, caller=Caller("c", Secret(own) if own else None))
