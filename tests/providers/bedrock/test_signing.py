import hashlib
import hmac
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.session import Session

from gateway.errors import Unavailable
from gateway.secret import Secret
from providers.bedrock.signing import (
    REFRESH_SECONDS,
    RequestSigner,
    make_credential_fetcher,
    make_signature_headers,
)
from providers.transport.credential_cache import CredentialCache, CredentialLease
from providers.transport.engine import Request

KEY_ID, KEY = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
MODELS = [
    "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "global.anthropic.claude-opus-4-6-v1",
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123",
    "odd name+%2F~",
]


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of AWS's example."""
    at = datetime(2015, 8, 30, 12, 36, 0, tzinfo=UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: at)


def expected(url: str, body: bytes, region: str, token: str | None) -> str:
    """The signature by the steps of AWS's description, each written out."""
    parts = urlsplit(url)
    headers = {
        "content-type": "application/json", "host": parts.netloc, "x-amz-date": "20150830T123600Z",
    } | ({"x-amz-security-token": token} if token else {})  # fmt: skip
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    # Every service but one has the path encoded a second time.
    path = quote(parts.path, safe="/-_.~")
    canonical = f"POST\n{path}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"20150830/{region}/bedrock/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n20150830T123600Z\n{scope}\n{digest}"
    key = b"AWS4" + KEY.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signed = hmac.digest(key, text.encode(), "sha256").hex()
    return (
        f"AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope}, SignedHeaders={names}, Signature={signed}"
    )


def test_botocores_signer_gives_what_aws_published() -> None:
    url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08"
    kind = "application/x-www-form-urlencoded; charset=utf-8"
    request = AWSRequest("GET", url, {"content-type": kind})
    SigV4Auth(Credentials(KEY_ID, KEY), "iam", "us-east-1").add_auth(request)
    assert request.headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


@pytest.mark.parametrize("token", [None, "a-session-token"])
@pytest.mark.parametrize("model", MODELS)
def test_a_request_is_signed_as_aws_describes_it(model: str, token: str | None) -> None:
    url = f"https://bedrock-runtime.eu-west-1.amazonaws.com/model/{quote(model, safe='')}/invoke"
    credentials = ReadOnlyCredentials(KEY_ID, KEY, token)
    found = dict(
        make_signature_headers(credentials, ("bedrock", "eu-west-1"), "POST", url, b'{"a":1}')
    )
    assert found[b"authorization"].decode() == expected(url, b'{"a":1}', "eu-west-1", token)
    assert found[b"x-amz-date"] == b"20150830T123600Z"
    assert found.get(b"x-amz-security-token") == (token.encode() if token else None)
    assert b"content-type" not in found  # the provider sends it


@pytest.mark.parametrize("model", MODELS)
def test_it_is_what_awss_own_client_sends(model: str, tmp_path: Path) -> None:
    seen: list[Any] = []

    def stop(request: Any, **_: object) -> AWSResponse:
        seen.append(request)
        return AWSResponse(request.url, 500, {}, b"")

    session = Session()
    config = Config(retries={"total_max_attempts": 1}, ignore_configured_endpoint_urls=True)
    client = session.create_client(
        "bedrock-runtime", "us-east-1", aws_access_key_id=KEY_ID, aws_secret_access_key=KEY,
        config=config,
    )  # fmt: skip
    client.meta.events.register("before-send", stop)
    with pytest.raises(AttributeError):
        client.invoke_model(modelId=model, body=b"{}", contentType="application/json")
    (sent,) = seen
    assert urlsplit(sent.url).path == f"/model/{quote(model, safe='')}/invoke"
    # Theirs signs headers of its own as well; over the same ones ours says the same.
    request = AWSRequest("POST", sent.url, {"content-type": "application/json"}, b"{}")
    SigV4Auth(Credentials(KEY_ID, KEY), "bedrock", "us-east-1").add_auth(request)
    credentials = ReadOnlyCredentials(KEY_ID, KEY, None)
    found = dict(
        make_signature_headers(credentials, ("bedrock", "us-east-1"), "POST", sent.url, b"{}")
    )
    assert found[b"authorization"].decode() == request.headers["Authorization"]


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which no credentials are to be found."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


def test_keys_given_are_used_as_they_are(nowhere: Path) -> None:
    lease = make_credential_fetcher(None, (Secret("id"), Secret("key"), Secret("token")))(False)
    found = lease.value
    assert (found.access_key, found.secret_key, found.token) == ("id", "key", "token")
    assert lease.fresh_seconds == float("inf")
    assert (
        make_credential_fetcher(None, (Secret("id"), Secret("key"), None))(False).value.token
        is None
    )


def test_the_chain_is_awss_own(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "credentials").write_text(
        "[default]\naws_access_key_id = d\naws_secret_access_key = x\n"
        "[work]\naws_access_key_id = w\naws_secret_access_key = x\n"
    )
    assert make_credential_fetcher(None, None)(False).value.access_key == "d"
    assert make_credential_fetcher("work", None)(False).value.access_key == "w"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "e")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert make_credential_fetcher(None, None)(False).value.access_key == "e"


def test_refused_ones_are_looked_for_anew(nowhere: Path) -> None:
    file = nowhere / "credentials"
    file.write_text("[default]\naws_access_key_id = old\naws_secret_access_key = x\n")
    fetch = make_credential_fetcher(None, None)
    assert fetch(False).value.access_key == "old"
    file.write_text("[default]\naws_access_key_id = new\naws_secret_access_key = x\n")
    assert fetch(False).value.access_key == "old"
    assert fetch(True).value.access_key == "new"


def test_those_that_expire_are_looked_at_again(nowhere: Path) -> None:
    program = nowhere / "mint"
    program.write_text(
        '#!/bin/sh\necho \'{"Version":1,"AccessKeyId":"p","SecretAccessKey":"x",'
        '"SessionToken":"t","Expiration":"2999-01-01T00:00:00Z"}\'\n'
    )
    program.chmod(0o700)
    (nowhere / "config").write_text(f"[default]\ncredential_process = {program}\n")
    lease = make_credential_fetcher(None, None)(False)
    assert (lease.value.access_key, lease.fresh_seconds) == ("p", REFRESH_SECONDS)


@pytest.mark.parametrize("profile", [None, "missing"])
def test_none_found_is_said_without_details(nowhere: Path, profile: str | None) -> None:
    with pytest.raises(Unavailable, match="AWS credentials"):
        make_credential_fetcher(profile, None)(False)


async def test_the_signer_adds_to_the_request_and_keeps_the_rest() -> None:
    old, new = (ReadOnlyCredentials(name, KEY, None) for name in ("OLD", "NEW"))
    signer = RequestSigner(
        CredentialCache(lambda refused: CredentialLease(new if refused else old)),
        "bedrock", "us-east-1", "http://127.0.0.1:8000/base",
    )  # fmt: skip
    request = Request(b"/model/m/invoke", b"{}", headers=[(b"x-a", b"1")])
    signed, used = await signer.sign_request(request)
    assert used is old
    assert (signed.target, signed.body) == (request.target, request.body)
    assert signed.headers[0] == (b"x-a", b"1")
    url = "http://127.0.0.1:8000/base/model/m/invoke"
    assert signed.headers[1:] == make_signature_headers(
        old, ("bedrock", "us-east-1"), "POST", url, b"{}"
    )
    _, newer = await signer.sign_request(request, used)
    assert newer is new
