"""The upstreams' lists of models: fetched side by side, shared, kept in memory and on disk.

A list that is older than its time is renewed when it is asked for; where that fails, or takes
longer than a client waits, the old one is served. Nothing here blocks the loop.
"""

import asyncio
import hashlib
import os
import stat
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic, time
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from gateway.catalogue.entries import parse_model_list
from gateway.errors import BadAnswer, GatewayError, UpstreamTimeout
from gateway.plugin import Runtime
from gateway.secret import Secret

FETCH_TIMEOUT = 20.0
"""Seconds that a fetch may take; who waits for it gives up sooner."""
RETRY_PAUSE = 15.0
"""Seconds before an upstream that failed is asked again, unless a client insists."""
MAX_CLIENT_LISTS = 64
"""Lists kept that were fetched with keys of clients."""

_log = structlog.get_logger("interlingua")


class CachedModelList(Struct):
    """A list as it is kept, in the file too; `models` is None where the upstream has no list."""

    fetched: float
    models: Any


class ModelListState(Struct, frozen=True):
    """What is known of an upstream's list now: the list, its age, and why it is not fresh."""

    models: Any = None
    fetched: float = 0.0
    is_fresh: bool = False
    error: GatewayError | None = None


class ModelLists:
    """The lists of one gateway's providers."""

    def __init__(self, runtime: Runtime) -> None:
        self._providers = runtime.providers
        self._options = runtime.config.catalogue
        self._folder = _find_folder(runtime.config.source.env, self._options.folder)
        self._lists: dict[str, CachedModelList] = {}
        self._failures: dict[str, tuple[float, GatewayError]] = {}
        self._fetches: dict[str, asyncio.Task[None]] = {}
        self._looked_up: set[str] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The fetches' life: those under way end with it."""
        try:
            yield
        finally:
            fetches = list(self._fetches.values())
            for fetch in fetches:
                fetch.cancel()
            await asyncio.gather(*fetches, return_exceptions=True)

    async def get_lists(
        self, names: Iterable[str], credential: Secret | None = None, *, refresh: bool = False
    ) -> dict[str, ModelListState]:
        """What is known of these providers' lists, after a bounded wait for what is due."""
        keys = {name: self._make_key(name, credential) for name in names}
        await self._load_new(keys)
        due = {key: name for name, key in keys.items() if refresh or self._is_due(key)}
        for key, name in due.items():
            if key not in self._fetches:
                fetch = asyncio.get_running_loop().create_task(
                    self._fetch_list(key, name, credential)
                )
                self._fetches[key] = fetch
        waited = [self._fetches[key] for key in due]
        if waited:
            await asyncio.wait(waited, timeout=self._options.timeout)
        return {name: self.get_cached(key) for name, key in keys.items()}

    def get_cached(self, key: str) -> ModelListState:
        """What is known of a list without asking anybody; a provider's name is its key."""
        kept, failed = self._lists.get(key), self._failures.get(key)
        error = failed[1] if failed is not None else None
        if key in self._fetches:
            error = UpstreamTimeout("catalogue", self._options.timeout)
        if kept is None:
            return ModelListState(error=error)
        return ModelListState(kept.models, kept.fetched, self._is_fresh(kept), error)

    def _make_key(self, name: str, credential: Secret | None) -> str:
        if credential is None or not self._providers[name].status().passthrough:
            return name
        # Another client's key may open another list.
        return f"{name}#{credential.digest().hex()}"

    def _is_fresh(self, kept: CachedModelList) -> bool:
        return 0 <= time() - kept.fetched < self._options.ttl

    def _is_due(self, key: str) -> bool:
        kept, failed = self._lists.get(key), self._failures.get(key)
        if kept is not None and self._is_fresh(kept):
            return False
        return failed is None or monotonic() - failed[0] > RETRY_PAUSE

    async def _fetch_list(self, key: str, name: str, credential: Secret | None) -> None:
        try:
            async with asyncio.timeout(FETCH_TIMEOUT):
                body = await self._providers[name].models(credential)
            models = None if body is None else parse_model_list(body)
        except GatewayError as error:
            self._record_failure(key, error)
        except TimeoutError:
            self._record_failure(key, UpstreamTimeout("catalogue", FETCH_TIMEOUT))
        except msgspec.ValidationError:
            self._record_failure(key, BadAnswer(f"the provider '{name}' sent no list"))
        except Exception as fault:  # noqa: BLE001  # a provider may be of another's making
            _log.error("catalogue_fault", provider=name, kind=type(fault).__name__, exc_info=True)
            self._record_failure(key, BadAnswer(f"the provider '{name}' has no list"))
        else:
            await self._store_list(key, name, CachedModelList(time(), models))
        finally:
            self._fetches.pop(key, None)

    def _record_failure(self, key: str, error: GatewayError) -> None:
        self._failures[key] = monotonic(), error
        _evict_client_lists(self._failures)

    async def _store_list(self, key: str, name: str, kept: CachedModelList) -> None:
        self._failures.pop(key, None)
        self._lists[key] = kept
        _evict_client_lists(self._lists)
        if key == name and kept.models is not None:
            await asyncio.to_thread(self._write_file, name, kept)

    # --- the disk; all of this runs in threads ----------------------------------------------------

    async def _load_new(self, keys: Mapping[str, str]) -> None:
        """Reads the files of lists that are asked for the first time."""
        new = [name for name, key in keys.items() if key == name and name not in self._looked_up]
        if new and self._folder is not None:
            for name, kept in (await asyncio.to_thread(self._read_files, new)).items():
                self._lists.setdefault(name, kept)
        self._looked_up.update(new)

    def _read_files(self, names: list[str]) -> dict[str, CachedModelList]:
        found = {}
        for name in names:
            # Absent, unreadable or damaged: as if it were not there, and written anew in time.
            with suppress(OSError, msgspec.DecodeError, RecursionError):
                kept = msgspec.json.decode(self._get_path(name).read_bytes(), type=CachedModelList)
                parse_model_list(msgspec.json.encode(kept.models))
                found[name] = kept
        return found

    def _write_file(self, name: str, kept: CachedModelList) -> None:
        folder = self._folder
        if folder is None:
            return
        path = self._get_path(name)
        written = path.with_suffix(f".{os.getpid()}")
        try:
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)
            written.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with open(os.open(written, flags, stat.S_IRUSR | stat.S_IWUSR), "wb") as file:
                file.write(msgspec.json.encode(kept))
            written.replace(path)
        except OSError as fault:
            self._folder = None
            why = fault.strerror or type(fault).__name__
            _log.warning("catalogue_not_kept", folder=str(folder), error=why)

    def _get_path(self, name: str) -> Path:
        assert self._folder is not None
        standing = self._providers[name].status()
        # Another address or another key: another list.
        origin = " ".join([standing.base_url, *standing.key_hashes])
        mark = hashlib.sha256(origin.encode()).hexdigest()[:16]
        return self._folder / f"{name}-{mark}.json"


def _evict_client_lists(lists: dict[str, Any]) -> None:
    """Forgets the oldest of those that clients' keys have fetched: there is no end of keys."""
    foreign = [key for key in lists if "#" in key]
    for key in foreign[:-MAX_CLIENT_LISTS]:
        del lists[key]


def _find_folder(env: Mapping[str, str], given: str) -> Path | None:
    """Where lists are kept; None where the environment names no place."""
    if given:
        return Path(given) / "models"
    state = env.get("STATE_DIRECTORY", "").partition(":")[0]
    if state:
        return Path(state) / "models"
    cache, home = env.get("XDG_CACHE_HOME", ""), env.get("HOME", "")
    if not cache.startswith("/"):
        if not home:
            return None
        cache = f"{home}/.cache"
    return Path(cache) / "interlingua" / "models"
