"""Every bound of a guest, named once: the reference's numbers and the ones that this node adds.

A size above its limit fails, a count that has reached its limit fails: exactly 100 logs of exactly 16,384 bytes pass.
Nothing here is configurable; what a node owner may choose is in :mod:`node.runtime.config`.
Source of the first group: core 0.10.0: crates/runtime/src/logic.rs (VMLimits).
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# -- the reference's numbers

MAX_MODULE_SIZE: Final = 10 * MIB
MAX_METHOD_NAME: Final = 256
MAX_STACK: Final = 200 * KIB
"""Bytes of native stack for guest frames; a minimal recursive function gets about 12,500 frames deep."""

WASM_PAGE: Final = 64 * KIB
MAX_MEMORY_PAGES: Final = 1024
"""64 MiB. The reference documents this bound but does not hold it; this node does, else one guest takes all memory."""

MAX_REGISTERS: Final = 100
MAX_REGISTER_SIZE: Final = 100 * MIB
MAX_REGISTERS_CAPACITY: Final = 1024 * MIB
REGISTER_OVERHEAD: Final = 8
"""Each register counts its length plus this many bytes towards the capacity."""

MAX_LOGS: Final = 100
MAX_LOG_SIZE: Final = 16 * KIB
MAX_EVENTS: Final = 100
MAX_EVENT_KIND: Final = 100
MAX_EVENT_DATA: Final = 16 * KIB
MAX_XCALLS: Final = 100
MAX_XCALL_FUNCTION: Final = 100
MAX_XCALL_PARAMS: Final = 16 * KIB
MAX_STORAGE_KEY: Final = MIB
MAX_STORAGE_VALUE: Final = 10 * MIB
STATE_KEY_LENGTH: Final = 32
"""Longer keys are accepted up to MAX_STORAGE_KEY and then ignored, as the reference's store does."""

MAX_BLOB_HANDLES: Final = 100
MAX_BLOB_CHUNK: Final = 10 * MIB
MAX_ALIAS: Final = 50

# -- bounds of this node: a call of the reference is unbounded in these, so one guest could fill its memory or disk

MAX_RETURN: Final = 10 * MIB
"""Bytes of a return value; as much as a request may carry in."""

MAX_ARTIFACT: Final = 32 * MIB
"""Bytes of a committed artifact: half the guest's memory, far above what a peer accepts in one message."""

MAX_EVENT_HANDLER: Final = MAX_METHOD_NAME
"""A longer handler name could never be called."""

MAX_WRITTEN_ROWS: Final = 100_000
"""Distinct rows one call may change, each column by itself: bounds the batch that a commit writes."""

MAX_WRITTEN_BYTES: Final = 128 * MIB
"""Bytes of new values one call may hold, each column by itself: more than a guest's own memory."""

MAX_READ_CACHE: Final = 32 * MIB
"""Bytes of read rows kept for repeated reads; a Rust app reads each of its index rows about eight times in a call."""

MAX_BLOB_BYTES: Final = 500 * MIB
"""Bytes of all blobs that one call writes; as much as one blob may have on a later reference node."""

MAX_MUTATIONS: Final = 100
MAX_PROPOSALS: Final = 100
"""Proposals and approvals, each."""

MAX_TABLE_ELEMENTS: Final = 100_000
MAX_TABLES: Final = 4
"""SDK modules have one table of some hundred functions."""
