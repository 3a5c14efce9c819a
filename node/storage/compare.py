"""Comparing one entity of two replicas, and what each side has to do about a difference.

The recursion is driven by the exchange: one call looks at one entity and its children.
Source: core 0.10.0: crates/storage/src/interface.rs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from node.primitives import EntityId, Hash
from node.storage.action import Action, Add, Compare, Update
from node.storage.delta import CHILD_NAME, Comparison, ComparisonData
from node.storage.entities import ChildInfo
from node.storage.index import BLANK, ZERO
from node.storage.interface import Interface

Hashes = dict[EntityId, Hash]


def describe(engine: Interface, entity: EntityId) -> Comparison:
    """What another replica needs to compare an entity with its own."""
    node = engine.index.get(entity)
    children = node.children if node is not None else None
    data = ComparisonData(
        entity,
        node.full_hash if node is not None else ZERO,
        node.own_hash if node is not None else ZERO,
        {} if children is None else {CHILD_NAME: tuple(children)},
        engine.index.ancestors(entity),
        node.metadata if node is not None else BLANK,
    )
    return Comparison(engine.raw(entity), data)


def compare_trees(engine: Interface, foreign: Comparison) -> tuple[list[Action], list[Action]]:
    """Actions for this replica and for the other one. Raises :class:`~node.storage.faults.UnknownEntity`."""
    theirs = foreign.comparison_data
    own_data = engine.raw(theirs.id)
    if own_data is None:
        return _missing_here(foreign), []
    node = engine.index.need(theirs.id)
    if node.full_hash == theirs.full_hash:
        return [], []
    local, remote = list[Action](), list[Action]()
    if node.own_hash != theirs.own_hash:
        if foreign.data is not None and node.metadata.updated_at <= theirs.metadata.updated_at:
            local.append(Update(theirs.id, foreign.data, theirs.ancestors, theirs.metadata))
        else:
            remote.append(Update(theirs.id, own_data, engine.index.ancestors(theirs.id), node.metadata))
    _compare_children(engine, theirs, local, remote)
    return local, remote


def _missing_here(foreign: Comparison) -> list[Action]:
    theirs = foreign.comparison_data
    return [] if foreign.data is None else [Add(theirs.id, foreign.data, theirs.ancestors, theirs.metadata)]


def _compare_children(engine: Interface, theirs: ComparisonData, local: list[Action], remote: list[Action]) -> None:
    children = engine.index.children(theirs.id)
    ours, others = _hashes(children), _hashes(theirs.children.get(CHILD_NAME))
    for child, merkle_hash in ours.items():
        if child not in others:
            remote.extend(_whole(engine, child))
        elif others[child] != merkle_hash:
            local.append(Compare(child))
            remote.append(Compare(child))
    remote.extend(Compare(child) for child in others if child not in ours)


def _hashes(children: Iterable[ChildInfo] | None) -> Hashes:
    """Hashes by id; of several rows the last counts."""
    return {child.id: child.merkle_hash for child in children or ()}


def _whole(engine: Interface, child: EntityId) -> Iterator[Action]:
    """An entity that the other side lacks, with its own chain of ancestors."""
    data = engine.raw(child)
    if data is not None:
        yield Add(child, data, engine.index.ancestors(child), engine.index.need(child).metadata)


def compare_affective(engine: Interface, foreign: Comparison) -> None:
    """Apply what this replica has to do, queue what the other one has to."""
    local, remote = compare_trees(engine, foreign)
    for action in local:
        if not isinstance(action, Compare):
            engine.apply_action(action)
    for action in remote:
        engine.pending.push(action)
