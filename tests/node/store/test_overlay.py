"""Changes laid over a store: the reference yields base keys first and overlay keys after, possibly twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from node.store.base import Batch
from node.store.columns import Column
from node.store.memory import MemoryStore
from node.store.overlay import Overlay, merged

S = Column.STATE
KEYS = st.binary(min_size=1, max_size=2)


@given(st.dictionaries(KEYS, st.binary(max_size=2)), st.dictionaries(KEYS, st.one_of(st.none(), st.binary(max_size=2))))
def test_defect_b2_both_layers_in_one_order(base: dict[bytes, bytes], changes: dict[bytes, bytes | None]) -> None:
    wanted = {**base, **changes}
    rows = list(merged(iter(sorted(base.items())), changes))
    assert rows == sorted((k, v) for k, v in wanted.items() if v is not None)


def test_reads_see_the_change_first() -> None:
    store = MemoryStore()
    batch = Batch()
    batch.put(S, b"a", b"1")
    batch.put(S, b"b", b"1")
    store.commit(batch)
    overlay = Overlay(store)
    overlay.put(S, b"a", b"2")
    overlay.delete(S, b"b")
    overlay.put(S, b"c", b"3")
    overlay.put(Column.META, b"b", b"other column")
    assert [overlay.get(S, key) for key in (b"a", b"b", b"c", b"d")] == [b"2", None, b"3", None]
    assert list(overlay.scan(S)) == [(b"a", b"2"), (b"c", b"3")]
    assert list(overlay.scan(S, b"", b"b")) == [(b"c", b"3")]
    overlay.close()
    assert store.get(S, b"a") == b"1"
    store.commit(overlay.batch)
    assert store.get(S, b"a") == b"2"
