"""Any server that speaks one of the dialects: configuration alone, no class of its own."""

from typing import ClassVar, Literal

import msgspec

from gateway.call import Call, Headers
from gateway.capability.table import kind_base_url, known_kinds
from gateway.config.faults import ConfigError, Fault
from gateway.counting.dialects import MESSAGES_COUNTING
from gateway.dialect import Dialect
from gateway.dialects.messages import MESSAGES
from gateway.plugin import Runtime
from providers.transport.provider import DIALECTS, HttpProvider
from providers.transport.versions import FORWARDED_HEADERS, add_version_header


class Compatible(HttpProvider):
    """A server of any dialect; `family` picks its row of the capability table."""

    forwarded: ClassVar[tuple[bytes, ...]] = FORWARDED_HEADERS

    family: str = "compatible"
    """Row of the shipped table, such as "groq", "ollama" or "vllm"."""
    speaks: list[Literal["chat", "messages", "responses"]] = msgspec.field(
        default_factory=lambda: ["chat"]
    )
    """The dialects of the server, best first."""
    auth: Literal["bearer", "x-api-key", "api-key"] = "bearer"
    """The header that carries the key."""

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        """The dialects the server speaks, best first."""
        return tuple(DIALECTS[name] for name in self.speaks)

    def bind(self, name: str, runtime: Runtime) -> None:
        """Takes the row of the table. ConfigError for an unknown one."""
        if self.family not in known_kinds():
            message = f'"{self.family}" is no row of the table; known: {", ".join(known_kinds())}'
            raise ConfigError([Fault(path=f"providers.{name}.family", message=message)])
        if not self.speaks:
            raise ConfigError([Fault(path=f"providers.{name}.speaks", message="is empty")])
        self.base_url = self.base_url or kind_base_url(self.family) or ""
        super().bind(name, runtime)

    def get_server_kind(self) -> str:
        """The row that the operator chose."""
        return self.family

    def make_auth_headers(self, key: str) -> Headers:
        """The key in the header that this server reads."""
        if self.auth == "bearer":
            return super().make_auth_headers(key)
        return [(self.auth.encode(), key.encode())]

    def select_client_headers(self, call: Call) -> Headers:
        """Of Messages the version and betas, as the client sent them; of other dialects none."""
        if call.dialect not in (MESSAGES, MESSAGES_COUNTING):
            return []
        return add_version_header(super().select_client_headers(call), call)
