"""The reference page of the host functions, made from the table. Renders text; writing it is somebody else's work."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Final

from node.runtime import limits
from node.runtime.host.table import MODULE, TABLE, HostFunction

HEAD: Final = f"""# Host functions

<!-- Made from node/runtime/host/table.py by `python -m tests.write_host_reference`: change the table instead. -->

An application imports these {len(TABLE)} functions from module `{MODULE}`. They are those of core 0.10.0.

All parameters are i64 and hold a u64, except `flag` (i32). What a parameter points to:

| kind | points to |
| --- | --- |
| `buffer`, `buffer_mut` | 16 bytes: address u64, length u64; the second is written to |
| `optional` | a buffer, or 0 for none |
| `location` | 24 bytes: file buffer, line u32, column u32 |
| `event` | 32 bytes: kind buffer, data buffer |
| `xcall` | 48 bytes: context id buffer, function buffer, params buffer |
| `value` | 24 bytes: tag u64 (0 = Ok, 1 = Err), buffer |
| `pointer` | the bytes themselves |
| `register`, `u64`, `flag` | nothing: a register's number, a number, a truth value |

Every function ends the call with `invalid memory access` for an address outside memory. A size above its limit fails,
and so does a count that has reached it.
"""


def reference_page() -> str:
    """The whole page in Markdown."""
    groups = groupby(TABLE.values(), key=lambda row: row.group)
    return HEAD + "".join(_group(name, rows) for name, rows in groups) + _limits()


def _group(name: str, rows: Iterable[HostFunction]) -> str:
    lines = [f"\n## {name[0].upper()}{name[1:]}\n", "| function | meaning | limits |", "| --- | --- | --- |"]
    lines += [f"| `{signature(row)}` | {row.doc} | {_names(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def signature(row: HostFunction) -> str:
    """``storage_read(key: buffer, register) -> i32``."""
    params = ", ".join(name if name == kind else f"{name}: {kind}" for name, kind in row.params)
    return f"{row.name}({params})" + (f" -> {row.result}" if row.result else "")


def _names(row: HostFunction) -> str:
    return ", ".join(f"`{name}`" for name in row.limits)


def _limits() -> str:
    used = sorted({name for row in TABLE.values() for name in row.limits})
    lines = ["\n## Limits\n", "| name | value |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| `{name}` | {getattr(limits, name):,} |" for name in used)]) + "\n"
