"""The engine of the hot path."""

from typing import ClassVar

from providers.transport.choose import Kind
from tests.providers.transport.conformance import Answers, Faults, Storm


class TestAnswers(Answers):
    """Bodies and heads of every shape."""

    kind: ClassVar[Kind] = "direct"


class TestFaults(Faults):
    """Timeouts, leaving, and the pool."""

    kind: ClassVar[Kind] = "direct"


class TestStorm(Storm):
    """Calls that end in every way at once."""

    kind: ClassVar[Kind] = "direct"
    calls = 2000
