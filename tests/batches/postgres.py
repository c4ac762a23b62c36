"""A real Postgres in a folder of its own."""

import asyncio
import os
import pwd
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.fakes.running import free_port


def binaries() -> Path | None:
    """Where Debian's package, or the path, has the server's programs; the newest."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    there = shutil.which("initdb")
    return found[-1].parent if found else Path(there).parent if there else None


@asynccontextmanager
async def postgres() -> AsyncIterator[str]:
    """The URL of an empty server; it runs until it is left, as a user that is not root."""
    folder = binaries()
    if folder is None:
        if os.environ.get("INTERLINGUA_REQUIRE_POSTGRES"):
            pytest.fail("Postgres is not installed")
        pytest.skip("Postgres is not installed")
    user = _user()
    with tempfile.TemporaryDirectory(prefix="interlingua-postgres-") as place:
        data = Path(place) / "data"
        data.mkdir(mode=0o700)
        for each in (place, data):
            os.chown(each, user.pw_uid, user.pw_gid)
        made = await _run(
            user, str(folder / "initdb"), "-D", str(data), "-U", "gateway", "--auth=trust", "-N"
        )
        assert await made.wait() == 0
        port = free_port()
        server = await _run(
            user, str(folder / "postgres"), "-D", str(data), "-p", str(port), "-k", place,
            "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
        )  # fmt: skip
        try:
            await _listening(port, server)
            yield f"postgres://gateway@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()  # SIGTERM waits for the clients, and those are gone
            try:
                async with asyncio.timeout(10):
                    await server.wait()
            except TimeoutError:
                server.kill()
                await server.wait()


def _user() -> pwd.struct_passwd:
    if os.geteuid():
        return pwd.getpwuid(os.geteuid())
    names = {each.pw_name: each for each in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


async def _run(user: pwd.struct_passwd, *command: str) -> asyncio.subprocess.Process:
    quiet = asyncio.subprocess.DEVNULL
    if os.geteuid():
        return await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    return await asyncio.create_subprocess_exec(
        *command, stdout=quiet, stderr=quiet, user=user.pw_uid, group=user.pw_gid, extra_groups=[]
    )


async def _listening(port: int, server: asyncio.subprocess.Process) -> None:
    for _ in range(400):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            assert server.returncode is None, "Postgres did not start"
            await asyncio.sleep(0.025)
        else:
            writer.close()
            await writer.wait_closed()
            return
    raise AssertionError("Postgres does not listen")
