"""The configurations of the servers that are measured, and the certificate of the upstream."""

import shutil
import subprocess
from pathlib import Path
from typing import get_args

from msgspec import Struct

from tests.bench import script
from tests.bench.cases import Form, alias

NGINX = """\
worker_processes 1;
daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  client_body_buffer_size 1m;
  client_max_body_size 64m;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream scripted {{
    server 127.0.0.1:{upstream};
    keepalive 512;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
  }}
  server {{
    listen 127.0.0.1:{port};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    location /v1/ {{ proxy_pass http://scripted; }}
    location /e {{ proxy_pass http://scripted; proxy_buffering off; }}
    location /readyz {{ return 200 "ok"; }}
  }}
}}
"""
_GATEWAY = """\
[server]
port = {port}
workers = 1
discover = false
[auth]
keys = [{{ key = "{key}", name = "bench" }}]
"""
_PROVIDER = """\
[providers.{name}]
use = "compatible"
speaks = ["{dialect}"]
base_url = "{url}/v1"
api_key = "{key}"
max_connections = 10000
{more}
"""
_CACHED = """\
[[middleware]]
use = "auth"
[[middleware]]
use = "batch"
[[middleware]]
use = "alias"
[[middleware]]
use = "cache"
[[middleware]]
use = "fallback"
[[middleware]]
use = "convert"
"""


class Upstreams(Struct, frozen=True):
    """Where the scripted upstream listens."""

    port: int
    tls_port: int = 0
    """0: there is none."""
    ca: str = ""
    """The certificate's file."""


def gateway_config(
    port: int, upstreams: Upstreams, prefixes: dict[Form, str], *, cached: bool = False
) -> str:
    """The gateway's: a provider for each dialect and form, over TLS for Chat too."""
    parts = [_GATEWAY.format(port=port, key=script.KEY)]
    aliases = []
    for dialect in get_args(script.Dialect):
        for form, prefix in prefixes.items():
            for tls in (False, True) if upstreams.tls_port and dialect == "chat" else (False,):
                name = f"up_{dialect}_{form}" + ("_tls" if tls else "")
                aliases.append(f'{alias(dialect, form, tls=tls)} = ["{name}:{script.MODEL}"]')
                parts.append(_provider(name, dialect, upstreams, prefix, tls=tls))
    return "\n".join([*parts, _CACHED if cached else "", "[aliases]", *aliases, ""])


def _provider(name: str, dialect: str, upstreams: Upstreams, prefix: str, *, tls: bool) -> str:
    where = (
        f"https://127.0.0.1:{upstreams.tls_port}" if tls else f"http://127.0.0.1:{upstreams.port}"
    )
    return _PROVIDER.format(
        name=name, dialect=dialect, url=where + prefix, key=script.UPSTREAM_KEY,
        more=f'ca_file = "{upstreams.ca}"' if tls else "",
    )  # fmt: skip


def certificate(folder: Path) -> bool:
    """Makes cert.pem and key.pem for 127.0.0.1; whether there is an openssl to do it."""
    program = shutil.which("openssl")
    if program is None:
        return False
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    subprocess.run(
        [
            program, *command.split(), "-subj", "/CN=localhost", "-addext",
            "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem",
        ],
        cwd=folder, check=True, capture_output=True, timeout=20,
    )  # fmt: skip
    return True
