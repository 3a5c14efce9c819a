"""Answers of calls by ``Idempotency-Key``: a repeated key gets the first answer again instead of a second run.

Ours. Kept in memory for a short time, so a retry after a restart of the server process may run again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from node.api.errors import Refusal

__all__ = ["Answers"]

MAX_KEYS: Final = 4096
MAX_KEY: Final = 256
"""Characters of a key."""

KEY_LIFE: Final = 600.0
"""Seconds for which an answer is remembered; a client gives up long before."""


@dataclass(slots=True)
class _Kept:
    began: float
    digest: bytes
    answer: asyncio.Future[bytes | None]


class Answers:
    """Remembered answers, oldest first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    async def once(self, key: str, body: bytes, now: float, run: Callable[[], Awaitable[bytes | None]]) -> bytes | None:
        """The answer of ``run``, which runs once per key. None means that it came to no answer worth keeping: the next
        request with the key runs again. Raises :class:`Refusal` when the key was used with another body.
        """
        if not 0 < len(key) <= MAX_KEY:
            raise Refusal(f"Idempotency-Key must have 1 to {MAX_KEY} characters", 400)
        digest = hashlib.sha256(body).digest()
        known = self._find(key, now)
        if known is not None and known.digest != digest:
            raise Refusal("Idempotency-Key was used with another request; choose a new one", 422)
        if known is not None:
            return await asyncio.shield(known.answer)
        return await self._run(key, _Kept(now, digest, asyncio.get_running_loop().create_future()), run)

    async def _run(self, key: str, kept: _Kept, run: Callable[[], Awaitable[bytes | None]]) -> bytes | None:
        self._kept[key] = kept
        while len(self._kept) > MAX_KEYS:
            self._kept.popitem(last=False)
        found: bytes | None = None
        try:
            found = await run()
        finally:
            kept.answer.set_result(found)
            if found is None and self._kept.get(key) is kept:
                del self._kept[key]
        return found

    def _find(self, key: str, now: float) -> _Kept | None:
        known = self._kept.get(key)
        if known is not None and now - known.began >= KEY_LIFE:
            del self._kept[key]
            return None
        return known
