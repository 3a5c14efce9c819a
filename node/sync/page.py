"""The form of a snapshot page: state rows back to back, and how a burst ends. It knows bytes, not contexts.

A record is the 32-byte state key, a 4-byte little-endian length and the value. Rows ascend by key through the whole
snapshot. Source: core 0.10.0: crates/node/src/sync/snapshot.rs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from node.errors import DecodeError
from node.primitives import ID_LENGTH
from node.sync import lz4
from node.sync.ports import Row
from node.sync.wire import SnapshotPage

MAX_PAGE: Final = 8 * 1024 * 1024
"""Most bytes of one page when unpacked: it must fit one frame, and a single row larger than the asked size gets a page
of its own."""

_HEAD: Final = ID_LENGTH + 4


@dataclass(frozen=True, slots=True)
class Page:
    """A page as its receiver sees it. ``last`` ends the burst; ``cursor`` then says where the next one starts."""

    rows: tuple[Row, ...]
    last: bool
    cursor: bytes | None


def pack_rows(rows: Iterable[Row]) -> bytes:
    return b"".join(part for key, value in rows for part in (key, len(value).to_bytes(4, "little"), value))


def unpack_rows(data: bytes) -> tuple[Row, ...]:
    """Raises :class:`DecodeError` for a cut record or keys that do not ascend."""
    rows: list[Row] = []
    position = 0
    while position < len(data):
        row, position = _record(data, position)
        if rows and row[0] <= rows[-1][0]:
            raise DecodeError("keys do not ascend", offset=position, field="page")
        rows.append(row)
    return tuple(rows)


def _record(data: bytes, position: int) -> tuple[Row, int]:
    start = position + _HEAD
    if start > len(data):
        raise DecodeError("a record is cut", offset=position, field="page")
    end = start + int.from_bytes(data[start - 4 : start], "little")
    if end > len(data):
        raise DecodeError("a value is cut", offset=start, field="page")
    return (data[position : start - 4], data[start:end]), end


def split_rows(rows: Iterable[Row], byte_limit: int) -> list[list[Row]]:
    """Pages of at most ``byte_limit`` bytes; a larger row gets a page of its own."""
    pages: list[list[Row]] = []
    filled = byte_limit + 1
    for row in rows:
        size = _HEAD + len(row[1])
        if filled + size > byte_limit:
            pages.append([])
            filled = 0
        pages[-1].append(row)
        filled += size
    return pages


def encode_burst(pages: list[list[Row]], cursor: bytes | None) -> list[SnapshotPage]:
    """The messages of one burst. Without rows it is one page with all counts zero."""
    if not pages:
        return [SnapshotPage(lz4.compress(b""), 0, None, 0, 0)]
    count = len(pages)
    return [_encode(rows, cursor if sent == count else None, count, sent) for sent, rows in enumerate(pages, 1)]


def _encode(rows: list[Row], cursor: bytes | None, count: int, sent: int) -> SnapshotPage:
    raw = pack_rows(rows)
    return SnapshotPage(lz4.compress(raw), len(raw), cursor, count, sent)


def decode_page(page: SnapshotPage) -> Page:
    """Raises :class:`DecodeError`."""
    last = page.sent_count >= page.page_count
    if page.uncompressed_len > MAX_PAGE:
        raise DecodeError(
            f"page of {page.uncompressed_len} bytes, at most {MAX_PAGE} are allowed", offset=0, field="uncompressed_len"
        )
    raw = lz4.decompress(page.payload, page.uncompressed_len) if page.payload else b""
    if len(raw) != page.uncompressed_len:
        raise DecodeError(f"Size mismatch: {len(raw)} vs {page.uncompressed_len}", offset=0, field="uncompressed_len")
    return Page(unpack_rows(raw), last, _cursor(page.cursor) if last else None)


def _cursor(cursor: bytes | None) -> bytes | None:
    if cursor is not None and len(cursor) != ID_LENGTH:
        raise DecodeError(f"a cursor has {ID_LENGTH} bytes, got {len(cursor)}", offset=0, field="cursor")
    return cursor
