"""The applications that a context lives with, and one call of each that another node can see."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from node.codec import borsh
from node.context.bundle import make_bundle
from node.primitives import PrivateKey
from tests.workers.runtime.nodes import WASM

KEY: Final = PrivateKey(b"\x21" * 32)
"""Signs the bundles."""

LIMIT: Final = 120
"""Seconds for a test with two whole nodes on a machine that is busy; the first one starts them."""


@dataclass(frozen=True, slots=True)
class Call:
    """A write by the second node, and a view on the first in whose answer ``seen`` occurs afterwards."""

    method: str
    args: dict[str, Any]
    view: str
    view_args: dict[str, Any]
    seen: str

    def is_seen(self, answer: object) -> bool:
        return self.seen in json.dumps(answer)


_RECORD: Final = hashlib.sha256(borsh.encode("x")).hexdigest()

CALLS: Final = {
    "kv": Call("set", {"key": "a", "value": "written"}, "get", {"key": "a"}, "written"),
    "collections": Call("tag", {"tag": "tagged"}, "tags", {}, "tagged"),
    "owned": Call("freeze", {"text": "x"}, "record", {"hash": _RECORD}, "x"),
    "private": Call("hide", {"game": "hidden", "secret": "7"}, "commitments", {}, "hidden"),
    "bundle": Call("set", {"key": "a", "value": "written"}, "get", {"key": "a"}, "written"),
}


COSTLY: Final = [pytest.param(name, marks=() if name == "kv" else pytest.mark.slow) for name in CALLS]
"""The applications for surfaces that take seconds of a processor: one of them in every run."""


def application(name: str, folder: Path) -> Path:
    """The file to install: a module as it is, or a bundle that is made in ``folder``."""
    return WASM / f"{name}.wasm" if name != "bundle" else bundle(folder, "kv", "1.0.0")


def bundle(folder: Path, module: str, version: str) -> Path:
    """A signed bundle of a test module; all versions are one application."""
    made = make_bundle(
        KEY, package="com.example.life", version=version, name="life", module=(WASM / f"{module}.wasm").read_bytes()
    )
    file = folder / f"{module}-{version}.mpk"
    file.write_bytes(made)
    return file


def words(args: dict[str, Any]) -> str:
    """Arguments as a shell takes them."""
    return json.dumps(args, separators=(",", ":"))
