"""The engine on httpx2."""

from typing import ClassVar

from providers.transport.engine import EngineKind
from tests.providers.transport.conformance import Answers
from tests.providers.transport.faults import Faults, Storm


class TestAnswers(Answers):
    """Bodies and heads of every shape."""

    kind: ClassVar[EngineKind] = "httpx2"


class TestFaults(Faults):
    """Timeouts, leaving, and the pool."""

    kind: ClassVar[EngineKind] = "httpx2"


class TestStorm(Storm):
    """Calls that end in every way at once."""

    kind: ClassVar[EngineKind] = "httpx2"
    calls = 200
