"""Two members of one context with the same state."""

from __future__ import annotations

import pytest

from tests.node.context.owner.world import Node


@pytest.fixture
def alice() -> Node:
    node = Node(1)
    node.create([Node(1).public, Node(2).public, Node(3).public])
    return node


@pytest.fixture
def bob(alice: Node) -> Node:
    node = Node(2)
    node.copy_of(alice)
    return node
