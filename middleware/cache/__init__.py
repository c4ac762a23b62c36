"""Answers given again: a whole, good answer is kept and replayed to the same caller's equal call.

It stands behind `alias`, for the targets are part of what makes two calls equal, and before
`fallback` and `convert`, so that a hit costs neither. What is kept is the answer in neutral form:
see `answer`. What makes two calls equal: see `key`. Equal calls in flight: see `flight`.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fnmatch import translate
from typing import Annotated

from msgspec import Meta

from gateway.call import Call, Caller
from gateway.config.size import Size
from gateway.dialect import Conversion
from gateway.dialects.completions import COMPLETIONS
from gateway.dialects.embeddings import EMBEDDINGS
from gateway.errors import InvalidRequest
from gateway.plugin import Middleware, Next, Runtime
from gateway.reply import Reply
from gateway.roles import CacheError, CacheFigures
from gateway.secret import Secret
from gateway.store.open import open_store
from middleware.cache.answer import make_conversion
from middleware.cache.key import CacheKeys, has_opted_out, is_storable
from middleware.cache.lookup import CacheState, Lookup
from middleware.cache.store import CacheStore, MemoryCacheStore, StoreDown

_UNCACHEABLE_DIALECTS = (COMPLETIONS, EMBEDDINGS)
"""Dialects whose answers hold what no kept message can: other choices, vectors."""


class Cache(Middleware):
    """Replays a caller's earlier answer to an equal request; equal calls in flight share one.

    A client has its way with the header `Cache-Control: no-store` or `x-gateway-cache: bypass`.
    """

    enabled: bool = True
    """Off, every call passes by; the cache's endpoints say so."""
    ttl: Annotated[float, Meta(gt=0)] = 3600.0
    """Seconds for which an answer is kept."""
    max_entries: Annotated[int, Meta(ge=1)] = 1000
    """Most answers kept; those not used for longest go first."""
    max_bytes: Size = Size("64MiB")
    """Most bytes of all answers kept, a number or a text such as "64MiB"."""
    tools: bool = False
    """Keep answers to requests with tools too, where the client runs all of them."""
    shared: bool = False
    """All callers get each other's answers; without it, nobody gets another's."""
    routes: list[str] = []
    """Targets "provider:model" whose calls are cached, with * and ?; empty: all."""
    models: list[str] = []
    """Models, as clients call them, whose calls are cached, with * and ?; empty: all."""
    store: Secret = Secret("memory")
    """"memory", or the URL of a Redis server; it may hold a password, so env:NAME is best."""

    def bind(self, runtime: Runtime) -> None:
        """Opens the store. ConfigError where its URL leads to none."""
        self._seal = runtime.seal
        self._keys = CacheKeys(runtime, shared=self.shared)
        self._routes, self._models = _compile_globs(self.routes), _compile_globs(self.models)
        self._store = open_store(self.store, self._make_memory_store, self._make_redis_store)
        self._state = CacheState(self._store, self.max_bytes)

    def _make_memory_store(self) -> CacheStore:
        return MemoryCacheStore(self.ttl, self.max_entries, self.max_bytes)

    def _make_redis_store(self, url: str) -> CacheStore:
        from middleware.cache.remote import RedisCacheStore  # noqa: PLC0415  # an extra

        return RedisCacheStore(url, self.ttl)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The store's life."""
        async with self._store.running():
            yield

    async def __call__(self, call: Call, next: Next) -> Reply:
        """The answer that is kept, or that of an equal call in flight, or a new one."""
        if self._is_cacheable(call):
            key = self._keys.make_key(call)
            found = self._state.find_rendered(call, key)
            if found is not None:
                return found
            way = self._try_conversion(call)
            if way is not None:
                return await Lookup(self._state, call, key, way).answer_call(next)
        call.record.cache = "bypass"
        return await next(call)

    def _is_cacheable(self, call: Call) -> bool:
        return (
            self.enabled
            and call.dialect not in _UNCACHEABLE_DIALECTS
            and self._is_selected(call)
            and not has_opted_out(call.headers)
            and is_storable(call.fields, tools=self.tools)
        )

    def _try_conversion(self, call: Call) -> Conversion | None:
        """How an answer to this call is read and written; None where none may be kept."""
        try:
            return make_conversion(call, self._seal)
        except (InvalidRequest, UnicodeDecodeError):
            return None  # whoever reads it whole says what is wrong with it

    def _is_selected(self, call: Call) -> bool:
        if not call.targets:
            return False
        if self._routes is not None and not self._routes.match(str(call.targets[0])):
            return False
        return self._models is None or self._models.match(call.model) is not None

    # --- what the endpoints ask -------------------------------------------------------------------

    @property
    def down(self) -> bool | None:
        """Whether its store does not answer; None where that is the gateway's own memory."""
        return self._store.down

    @property
    def per_worker(self) -> bool:
        """Each worker keeps answers of its own; else all of them have the same store."""
        return isinstance(self._store, MemoryCacheStore)

    async def read_figures(self) -> CacheFigures:
        """What the cache has done so far."""
        figures = self._state.stats.make_figures()
        figures.enabled, figures.backend = self.enabled, self._store.name
        figures.limit = self._store.limit
        try:
            figures.size = await self._store.size()
        except StoreDown:
            figures.size = None
        return figures

    async def clear(self, caller: Caller) -> int:
        """Forgets the caller's answers; how many they were. Raises CacheError."""
        try:
            return await self._store.clear(self._keys.make_tenant(caller))
        except StoreDown:
            raise CacheError from None

    async def cleanup(self) -> tuple[int, int]:
        """Forgets what has expired: how many, and how many are left. Raises CacheError."""
        try:
            return await self._store.cleanup()
        except StoreDown:
            raise CacheError from None


def _compile_globs(globs: list[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(translate, globs))) if globs else None
