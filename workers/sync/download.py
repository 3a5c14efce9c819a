"""Downloads for installs: http and https alone, bounded in bytes, time and redirects.

Nothing is decoded on the way and nothing is written: what comes is whole and within its bounds, or an error.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final
from urllib.parse import urlsplit

import httpx

from node.errors import ContextError

log = logging.getLogger(__name__)

TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
"""Seconds without a byte, and for the connection."""

WHOLE: Final = 300.0
"""For the whole: a server that sends a byte now and then must not hold an install for ever."""

MAX_REDIRECTS: Final = 5
PROGRESS: Final = 8 << 20
"""Bytes between two lines of the log."""

_PART: Final = 1 << 20


async def download(url: str, limit: int, seconds: float = WHOLE) -> bytes:
    """The content of a URL as it lies there, ``limit`` bytes at most, within ``seconds``.

    Raises :class:`ContextError` naming the URL and what happened.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise ContextError(f"{url!r} is no http or https URL")
    try:
        async with asyncio.timeout(seconds), _client() as client, client.stream("GET", url) as response:
            response.raise_for_status()
            return await _received(url, response, limit)
    except TimeoutError as error:
        raise ContextError(f"{url} could not be downloaded within {seconds:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ContextError(f"{url} could not be downloaded: {_reason(error)}") from error


def _client() -> httpx.AsyncClient:
    """Nothing is decoded on the way: a server that packs what it sends would change what the hash is of."""
    return httpx.AsyncClient(
        timeout=TIMEOUT, follow_redirects=True, max_redirects=MAX_REDIRECTS,
        headers={"accept-encoding": "identity"},
    )  # fmt: skip


async def _received(url: str, response: httpx.Response, limit: int) -> bytes:
    """Raises :class:`ContextError` as soon as there is more than the limit."""
    parts: list[bytes] = []
    size, told, announced = 0, 0, response.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise ContextError(f"{url} has {announced} bytes, at most {limit} are allowed")
    async for part in response.aiter_raw(_PART):
        size += len(part)
        if size > limit:
            raise ContextError(f"{url} has more than {limit} bytes")
        parts.append(part)
        if size - told >= PROGRESS:
            told = size
            log.info("downloading %s: %d of %s bytes", url, size, announced or "?")
    return b"".join(parts)


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"the server answered {error.response.status_code} {error.response.reason_phrase}"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def url_text(url: str) -> str:
    """A URL as the reference's parser writes it: small host, no usual port, a path. Other nodes derive ids from it.

    Raises :class:`ContextError`.
    """
    try:
        parsed = httpx.URL(url)
        return str(parsed.copy_with(raw_path=parsed.raw_path))
    except httpx.InvalidURL as error:
        raise ContextError(f"{url!r} is no URL: {error}") from error
