"""What a gateway without batches pays for them."""

import asyncio
import sys

from tests.fakes.running import ROOT


async def test_a_gateway_without_batches_loads_nothing_of_them() -> None:
    code = (
        "import sys, gateway.app; from gateway.config.load import load_config; "
        "gateway.app.build(load_config(None, {})); "
        "print([name for name in ('dbos', 'sqlalchemy', 'psycopg') if "
        "name in sys.modules])"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert said == b"[]\n"
