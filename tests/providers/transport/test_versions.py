import pytest
from msgspec import structs

from gateway.capability.record import Capability
from gateway.dialects.messages import MESSAGES
from providers.transport.versions import CLASSIC_VERSION, add_version_header
from tests.fakes.calls import make_call, make_target

NEW = structs.replace(make_target("up"), capability=Capability(anthropic_versions=("2026-10-21",)))


@pytest.mark.parametrize(
    ("body", "version"),
    [({}, "2026-10-21"), ({"temperature": 1}, CLASSIC_VERSION), ({"top_k": 1}, CLASSIC_VERSION)],
)
def test_the_version_knows_the_members_sent(body: dict[str, object], version: str) -> None:
    one = make_call(body, dialect=MESSAGES, targets=(NEW,))
    assert add_version_header([], one) == [(b"anthropic-version", version.encode())]


def test_where_no_version_is_known_it_is_the_classic_one() -> None:
    assert add_version_header([], make_call(dialect=MESSAGES)) == [
        (b"anthropic-version", CLASSIC_VERSION.encode())
    ]


def test_the_clients_own_version_stays() -> None:
    own = [(b"anthropic-version", b"2001-01-01")]
    assert add_version_header(own, make_call(dialect=MESSAGES, targets=(NEW,))) == own
