"""What a third party writes: one file, a class for each plugin, options as fields."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gateway import Call, Dialect, Middleware, Next, Provider, Reply
from gateway.config.load import ConfigError, Fault, Size
from gateway.plugin import Runtime
from gateway.secret import Secret


class Rule(Struct, frozen=True):
    """One rule of a limit."""

    model: str
    per_minute: Annotated[int, Meta(ge=1)] = 60


class Limit(Middleware):
    """Holds callers to so many calls a minute."""

    max_attempts: Annotated[int, Meta(ge=1)] = 3
    mode: Literal["refuse", "queue"] = "refuse"
    window: float = 60.0
    largest: Size = Size("1MiB")
    rules: list[Rule] = []
    token: Secret | None = None

    def bind(self, runtime: Runtime) -> None:
        """ConfigError where the window is no window."""
        if self.window == 0:
            raise ConfigError([Fault(path="window", message="must be more than 0")])

    async def __call__(self, call: Call, next: Next) -> Reply:
        """Passes the call on."""
        return await next(call)


class Cloud(Provider):
    """A provider of a third party."""

    api_key: Secret | list[Secret] | None = None
    base_url: str = "https://cloud.example/v1"
    weight: Annotated[int, Meta(ge=0, le=100)] = 1
    retries: dict[str, int] = {}
    defaults: dict[str, Any] = {}
    aliases: dict[str, str | list[str]] = {}
    headers: dict[str, str] = {}

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        """None: it answers nobody here."""
        return ()

    def bind(self, name: str, runtime: Runtime) -> None:
        """ConfigError where the address is no URL."""
        if not self.base_url.startswith("http"):
            raise ConfigError("its address is no URL")


class Unrelated:
    """Neither a link nor a provider."""
