"""Which engine is made."""

from pathlib import Path

import pytest

from providers.transport import httpx_engine
from providers.transport.direct import PooledEngine
from providers.transport.engine import EngineOptions
from providers.transport.engine_choice import make_engine
from tests.fakes.certificate import Certificate


def test_default_is_the_direct_one() -> None:
    assert isinstance(make_engine("https://h"), PooledEngine)


async def test_httpx2() -> None:
    made = make_engine("https://h", EngineOptions(kind="httpx2", proxy="http://127.0.0.1:1"))
    assert type(made).__name__ == "HttpxEngine"
    await made.aclose()


async def test_client_certificate(certificate: Certificate, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.cert.read_bytes() + certificate.key.read_bytes())
    made = make_engine("https://h", EngineOptions(kind="httpx2", client_cert=str(both)))
    await made.aclose()


async def test_http2_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpx_engine, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match="h2"):
        make_engine("https://h", EngineOptions(kind="httpx2", http2=True))


@pytest.mark.parametrize(
    "options",
    [EngineOptions(proxy="http://p"), EngineOptions(http2=True), EngineOptions(client_cert="x")],
)
def test_direct_refuses_what_it_cannot(options: EngineOptions) -> None:
    with pytest.raises(ValueError, match="httpx2"):
        make_engine("https://h", options)


def test_bad_url() -> None:
    with pytest.raises(ValueError, match="base URL"):
        make_engine("h")


def test_missing_ca_file_is_found_at_once() -> None:
    with pytest.raises(OSError, match="No such file"):
        make_engine("https://h", EngineOptions(ca_file="/nowhere/ca.pem"))
