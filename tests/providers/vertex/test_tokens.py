import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import google.auth
import msgspec
import pytest

from gateway.errors import Unavailable
from providers.vertex.tokens import (
    OAUTH_SCOPE,
    REFRESH_BEFORE,
    UNUSABLE_BEFORE,
    _read_credentials,
    make_token_fetcher,
)
from tests.fakes.upstream import Json, ScriptedUpstream
from tests.providers.vertex.accounts import service_account


@pytest.fixture
async def server() -> AsyncIterator[ScriptedUpstream]:
    """A server that mints tokens."""
    async with ScriptedUpstream(
        Json({"access_token": "t-1", "expires_in": 3600, "token_type": "Bearer"}),
        Json({"access_token": "t-2", "expires_in": 3600, "token_type": "Bearer"}),
        Json({"error": "invalid_grant", "error_description": "secret words"}, 400),
    ) as opened:
        yield opened


@pytest.fixture
def account(tmp_path: Path, server: ScriptedUpstream) -> str:
    """A file of credentials whose token server is ours."""
    return service_account(tmp_path / "key.json", server.url)


async def fetched(fetch: Any, refused: bool = False) -> Any:
    """What a look gives, taken in a thread as calls take it."""
    return await asyncio.get_running_loop().run_in_executor(None, fetch, refused)


async def test_a_token_is_had_for_the_credentials_of_a_file(
    server: ScriptedUpstream, account: str
) -> None:
    fetch = make_token_fetcher(account)
    lease = await fetched(fetch)
    assert lease.value == "t-1"
    assert 3600 - REFRESH_BEFORE - 30 < lease.fresh_seconds <= 3600 - REFRESH_BEFORE
    assert 3600 - UNUSABLE_BEFORE - 30 < lease.usable_seconds <= 3600 - UNUSABLE_BEFORE
    (_, claims, _) = parse_qs(server.requests[0].body.decode())["assertion"][0].split(".")
    said = msgspec.json.decode(base64.urlsafe_b64decode(claims + "=="))
    assert (said["iss"], said["scope"]) == ("a@p.example", OAUTH_SCOPE)
    assert (await fetched(fetch, refused=True)).value == "t-2"


async def test_a_refusal_is_told_without_its_words(account: str) -> None:
    fetch = make_token_fetcher(account)
    for _ in range(2):
        await fetched(fetch)
    with pytest.raises(Unavailable) as caught:
        await fetched(fetch)
    assert "secret words" not in caught.value.message
    assert "RefreshError" in caught.value.message


async def test_a_server_that_is_away_is_told(account: str, server: ScriptedUpstream) -> None:
    text = Path(account).read_text().replace(str(server.port), "1")
    Path(account).write_text(text)
    with pytest.raises(Unavailable, match="TransportError"):
        await fetched(make_token_fetcher(account))


async def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(Unavailable, match="FileNotFoundError"):
        await fetched(make_token_fetcher("/nowhere/adc.json"))


@pytest.mark.parametrize("text", ["{}", '{"type":"gdch"}', "no JSON"])
async def test_a_file_of_another_kind_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "odd.json"
    file.write_text(text)
    with pytest.raises(Unavailable, match="Error"):
        await fetched(make_token_fetcher(str(file)))


def test_a_users_own_credentials_are_read(tmp_path: Path) -> None:
    file = tmp_path / "user.json"
    file.write_bytes(msgspec.json.encode({
        "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r",
    }))  # fmt: skip
    assert _read_credentials(str(file)).refresh_token == "r"


async def test_another_clouds_identity_is_exchanged(
    tmp_path: Path, server: ScriptedUpstream
) -> None:
    (tmp_path / "subject").write_text("subject-token")
    file = tmp_path / "pool.json"
    file.write_bytes(msgspec.json.encode({
        "type": "external_account", "audience": "//iam.googleapis.com/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{server.url}/exchange",
        "credential_source": {"file": str(tmp_path / "subject")},
    }))  # fmt: skip
    assert (await fetched(make_token_fetcher(str(file)))).value == "t-1"
    assert parse_qs(server.requests[0].body.decode())["subject_token"] == ["subject-token"]


class Given:
    """Credentials of another kind."""

    token = "g"
    expiry: datetime | None = None

    def refresh(self, request: object) -> None:
        """There is nothing to renew."""


async def test_without_a_file_they_are_the_applications_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[object] = []

    def default(scopes: list[str]) -> tuple[Given, str]:
        asked.append(scopes)
        return Given(), "project"

    monkeypatch.setattr(google.auth, "default", default)
    lease = await fetched(make_token_fetcher(None))
    assert (lease.value, lease.fresh_seconds, lease.usable_seconds) == (
        "g",
        float("inf"),
        float("inf"),
    )
    assert asked == [[OAUTH_SCOPE]]


async def test_a_short_token_is_renewed_at_half_its_life(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Given()
    given.expiry = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=120)
    monkeypatch.setattr(google.auth, "default", lambda _: (given, None))
    lease = await fetched(make_token_fetcher(None))
    assert 50 < lease.fresh_seconds <= 60
    assert lease.usable_seconds <= 110
