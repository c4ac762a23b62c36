"""Claude on Amazon Bedrock: InvokeModel and its stream, or its own Messages API."""

from typing import ClassVar, Literal
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Raw

from gateway.call import Call, Headers
from gateway.config.faults import ConfigError, Fault
from gateway.dialect import Fields
from gateway.errors import InvalidRequest
from gateway.plugin import Runtime
from gateway.reply import Reply
from gateway.secret import Secret
from providers.bedrock.invoke import BedrockEngine
from providers.bedrock.signing import AwsKeys, RequestSigner, make_credential_fetcher
from providers.transport.cloud_messages import adapt_to_host, add_api_version, report_dropped
from providers.transport.credential_cache import CredentialCache
from providers.transport.keys import KeyRing
from providers.transport.provider import HttpProvider

AWS_SERVICE = "bedrock"
MANTLE_SERVICE = "bedrock-mantle"
"""The service of addresses that begin so, in a signature."""
DEFAULT_API_VERSION = b"2023-06-01"
"""The version that every model takes at the Messages API here."""
BEARER_VARIABLE = "AWS_BEARER_TOKEN_BEDROCK"


class Bedrock(HttpProvider):
    """Claude models of an AWS account; with an API key of Bedrock, else with AWS credentials."""

    server_kind: ClassVar[str] = "bedrock"
    dialect_names: ClassVar[tuple[str, ...]] = ("messages",)
    forwarded: ClassVar[tuple[bytes, ...]] = (b"anthropic-beta", b"anthropic-version")

    api: Literal["invoke", "messages"] = "invoke"
    """"messages" for models that have no InvokeModel: the Messages API on the same address."""
    region: str = ""
    """Such as "us-east-1"; unset: AWS_REGION, else AWS_DEFAULT_REGION."""
    profile: str | None = None
    """Profile of AWS's own configuration files, in place of the first credentials found."""
    access_key_id: Secret | None = None
    """With `secret_access_key`, in place of the first credentials found."""
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    """For temporary keys; what is given here is not renewed."""

    def bind(self, name: str, runtime: Runtime) -> None:
        """Settles region and credentials. ConfigError where either is missing."""
        env = runtime.config.source.env
        region = self.region or env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or ""
        given = self._get_given_keys(name)
        if not self.api_key and not self.profile and given is None and env.get(BEARER_VARIABLE):
            self.api_key = Secret(env[BEARER_VARIABLE])
        if not region and not (self.base_url and self.api_key):
            message = 'is missing: set it to one such as "us-east-1", or the variable AWS_REGION'
            raise ConfigError([Fault(path=f"providers.{name}.region", message=message)])
        suffix = ".cn" if region.startswith("cn-") else ""
        path = "/anthropic/v1" if self.api == "messages" else ""
        host = f"bedrock-runtime.{region}.amazonaws.com{suffix}"
        self.base_url = self.base_url or f"https://{host}{path}"
        super().bind(name, runtime)
        self._strict = runtime.config.server.strict
        signer = None
        if not self.api_key:
            signer = self._make_signer(name, region, given)
            # The credentials count as one key: throttled or refused, they rest as a key does.
            self._key_ring = KeyRing([Secret(f"AWS credentials of {name}")])
        self._engine = BedrockEngine(self._engine, signer)

    def _get_given_keys(self, name: str) -> AwsKeys | None:
        both = self.access_key_id, self.secret_access_key
        if both[0] and both[1]:
            return both[0], both[1], self.session_token
        if any(both) or self.session_token:
            missing = "secret_access_key" if both[0] else "access_key_id"
            message = f"is missing: what stands beside it means nothing without {missing}"
            raise ConfigError([Fault(path=f"providers.{name}.{missing}", message=message)])
        return None

    def _make_signer(self, name: str, region: str, given: AwsKeys | None) -> RequestSigner:
        try:
            credentials = CredentialCache(make_credential_fetcher(self.profile, given))
        except ModuleNotFoundError as fault:
            message = (
                f'needs a key of Bedrock ({BEARER_VARIABLE}), or the extra "bedrock" for AWS '
                "credentials "
                f"({fault.name} is missing): interlingua[bedrock]"
            )
            raise ConfigError([Fault(path=f"providers.{name}.api_key", message=message)]) from None
        url = self.base_url.rstrip("/")
        mantle = (urlsplit(url).hostname or "").startswith(f"{MANTLE_SERVICE}.")
        return RequestSigner(credentials, MANTLE_SERVICE if mantle else AWS_SERVICE, region, url)

    async def count(self, call: Call) -> Reply | None:
        """The Messages API's own count; InvokeModel's address has one for some models only."""
        return await super().count(call) if self.api == "messages" else None

    async def models(self, credential: Secret | None) -> bytes | None:
        """None: this address lists no models."""
        return None

    def build_path(self, call: Call) -> bytes:
        """The model's path, an ARN's slashes and colons within one segment."""
        if self.api == "messages":
            return super().build_path(call)
        assert call.target is not None
        model = call.target.model
        if model in (".", ".."):
            raise InvalidRequest(f'"{model}" is no model', param="model")
        action = "invoke-with-response-stream" if call.stream else "invoke"
        return f"/model/{quote(model, safe='')}/{action}".encode()

    def make_auth_headers(self, key: str) -> Headers:
        """A key as Bearer; credentials sign each request instead."""
        return super().make_auth_headers(key) if self.api_key else []

    def prepare_fields(self, call: Call) -> Fields:
        """The body without what the path says, with the version and the betas."""
        invoked = self.api == "invoke"
        ours = adapt_to_host(call, ("model", "stream") if invoked else ())
        report_dropped(call, ours, strict=self._strict)
        if not invoked:
            return ours.fields
        versions = call.target.capability.anthropic_versions if call.target else ()
        fields = add_api_version(ours.fields, versions[0])
        if ours.betas and "anthropic_beta" not in fields:
            fields["anthropic_beta"] = Raw(msgspec.json.encode(ours.betas))
        return fields

    def select_client_headers(self, call: Call) -> Headers:
        """The version and the betas for the Messages API; in the body they stand otherwise."""
        if self.api == "invoke":
            return []
        headers = [(b"anthropic-version", call.header(b"anthropic-version") or DEFAULT_API_VERSION)]
        betas = adapt_to_host(call, ()).betas
        return [*headers, (b"anthropic-beta", ",".join(betas).encode())] if betas else headers
