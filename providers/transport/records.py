"""What an operator changes of the capability table: for a provider, and for some of its models."""

from collections.abc import Mapping
from typing import Any

from gateway.capability.record import Capability
from gateway.config.decode import Decoder, join
from gateway.config.faults import Fault


def override_faults(
    name: str, members: Mapping[str, Any], by_model: Mapping[str, Mapping[str, Any]]
) -> list[Fault]:
    """All that is wrong with them: it must show at the start, not at the first call."""
    at, reading = join("providers", name), Decoder({})
    reading.struct(members, Capability, join(at, "capabilities"))
    for pattern, refined in by_model.items():
        reading.struct(refined, Capability, join(join(at, "models"), pattern))
    return reading.faults
