"""The headers that go with a Messages request: its version, its betas, who asks."""

from gateway.call import Call, Headers

CLASSIC_VERSION = "2023-06-01"
"""The last version of the Messages API that takes temperature, top_p and top_k."""
FORWARDED_HEADERS = (b"anthropic-", b"x-app", b"x-claude-code-")
"""Prefixes of a client's headers that belong to its request: a beta's members need its name."""


def add_version_header(headers: Headers, call: Call) -> Headers:
    """The headers, with a version of ours where the client sent none."""
    if any(name == b"anthropic-version" for name, _ in headers):
        return headers
    sampling = {"temperature", "top_p", "top_k"} & call.fields.keys()
    versions = call.target.capability.anthropic_versions if call.target else ()
    version = CLASSIC_VERSION if sampling or not versions else versions[0]
    return [*headers, (b"anthropic-version", version.encode())]
