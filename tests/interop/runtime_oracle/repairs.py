"""What the host's storage engine of a JavaScript call repairs, one by one, so that differences have named causes.

The crate's host engine fails where ours works on purpose. A repair is a rule of :class:`node.storage.env.Rules`, or one
of those below. Without any repair ours must give what the crate gives; with all of them it is the product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from typing import Final
from unittest import mock

from node.primitives import ContextId, PublicKey
from node.runtime import journal
from node.storage.engine import Engine
from node.storage.env import INTEROP, REFERENCE, Env
from node.storage.hlc import HybridClock, HybridTimestamp, clock_id
from node.storage.js import persist_root_state

ROOT_IS_LATER: Final = "root_is_later"
"""A document is later than the one before, whatever the clock says."""

GROWING_CLOCK: Final = "growing_clock"
"""One clock never gives the same time twice."""

RULES: Final = frozenset(name for name, value in asdict(INTEROP).items() if value != getattr(REFERENCE, name))
REPAIRS: Final = RULES | {ROOT_IS_LATER, GROWING_CLOCK}

EXPECTED: Final = frozenset(
    {
        "root_last_write_wins", ROOT_IS_LATER, "local_wins", "skip_refused", "tombstones_only_grow", "quiet_touch",
        "frozen_stays", "one_time_per_delete", "derived_ids",
    }
)  # fmt: skip
"""The repairs that may show; README.md says why for each. Another one is a difference without a reason."""


class DrawnClock(HybridClock):
    """As the crate's: its id is drawn when it is first asked, where ours has that of the executor."""

    def __init__(self, now_ns: Callable[[], int], random_bytes: Callable[[int], bytes], *, reference: bool) -> None:
        super().__init__(now_ns, 0, reference=reference)
        self._random_bytes = random_bytes

    def next(self) -> HybridTimestamp:
        if not self._id:
            self._id = clock_id(self._random_bytes(16))
        return super().next()


@contextmanager
def host_with(repairs: frozenset[str]) -> Iterator[None]:
    """Let guests run on a host engine that has these repairs and no other."""
    rules = replace(REFERENCE, **dict.fromkeys(repairs & RULES, True))
    reference_clock = GROWING_CLOCK not in repairs

    def env(
        context_id: ContextId, executor: PublicKey, now_ns: Callable[[], int], random: Callable[[int], bytes]
    ) -> Env:
        return Env(context_id, executor, now_ns, random, DrawnClock(now_ns, random, reference=reference_clock))

    def persist(self: journal.Journal, document: bytes, created_at: int, updated_at: int) -> None:
        persist_root_state(self.engine, document, created_at, updated_at)

    persisted = journal.Journal.persist_root if ROOT_IS_LATER in repairs else persist
    with (
        mock.patch.object(journal, "Engine", partial(Engine, rules=rules)),
        mock.patch.object(journal, "guest_env", env),
        mock.patch.object(journal.Journal, "persist_root", persisted),
    ):
        yield
