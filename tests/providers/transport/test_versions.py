import pytest
from msgspec import structs

from gateway.capability.record import Capability
from gateway.dialects.messages import MESSAGES
from providers.transport.versions import CLASSIC, with_version
from tests.fakes.calls import call, target

NEW = structs.replace(target("up"), capability=Capability(anthropic_versions=("2026-10-21",)))


@pytest.mark.parametrize(
    ("body", "version"),
    [({}, "2026-10-21"), ({"temperature": 1}, CLASSIC), ({"top_k": 1}, CLASSIC)],
)
def test_the_version_knows_the_members_sent(body: dict[str, object], version: str) -> None:
    one = call(body, dialect=MESSAGES, targets=(NEW,))
    assert with_version([], one) == [(b"anthropic-version", version.encode())]


def test_where_no_version_is_known_it_is_the_classic_one() -> None:
    assert with_version([], call(dialect=MESSAGES)) == [(b"anthropic-version", CLASSIC.encode())]


def test_the_clients_own_version_stays() -> None:
    own = [(b"anthropic-version", b"2001-01-01")]
    assert with_version(own, call(dialect=MESSAGES, targets=(NEW,))) == own
