"""Ids of applications, who may replace one, and which version is later."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.context.application import (
    MAX_VERSION,
    bundle_id,
    check_continuity,
    is_bundle,
    is_newer,
    module_id,
    version_key,
)
from node.context.bundle import signer_id_of
from node.crypto import ed25519
from node.errors import ContextError
from node.primitives import BlobId, PrivateKey

SIGNER = signer_id_of(ed25519.public_key(PrivateKey(bytes(32))))


def test_ids_are_the_reference_s() -> None:
    found = module_id(BlobId(b"\x07" * 32), 1234, "file:///app.wasm", b"")
    assert str(found) == "8czTn1TtDoFsMVz1fKjbBa2NYSkH84ycHTyCqKwMBzPD"
    assert SIGNER == "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"
    assert str(bundle_id("com.example.app", SIGNER)) == "4Jnosm4PcAwjgbjBGUD6N76ie6ctkZn5nRtyc6a4Fv2n"


def test_a_bundle_has_a_package_and_a_version() -> None:
    assert is_bundle("com.example.app", "1.0.0")
    assert not is_bundle("unknown", "1.0.0")
    assert not is_bundle("com.example.app", "0.0.0")


def test_who_may_replace_an_application() -> None:
    for old, new in (("", ""), ("", "b"), ("a", "a")):
        check_continuity(old, new)
    with pytest.raises(ContextError, match="Security downgrade rejected"):
        check_continuity("a", "")
    with pytest.raises(ContextError, match="AppKey continuity violation: signerId mismatch"):
        check_continuity("a", "b")


ORDER = [
    "", "1.0", "latest", "v1.0.0", "0.0.1", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1",
    "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0", "10.0.0",
]  # fmt: skip


def test_versions_have_the_order_of_semver() -> None:
    assert sorted(ORDER[4:], key=version_key) == ORDER[4:]
    assert sorted(ORDER, key=version_key) == ORDER
    assert version_key("1.0.0+one") == version_key("1.0.0+two")


@pytest.mark.parametrize("text", ["1" * (MAX_VERSION + 1), "1.0.0-" + "9" * 5000, "01.0.0", "1.0.0-", "1.0.0-a..b"])
def test_what_is_no_version_comes_first(text: str) -> None:
    assert version_key(text)[0] == 0


@given(st.lists(st.sampled_from(ORDER) | st.text(max_size=8), min_size=3, max_size=3))
def test_versions_are_ordered_in_one_way(versions: list[str]) -> None:
    for a, b in itertools.combinations(map(version_key, versions), 2):
        assert (a < b) + (b < a) + (a == b) == 1


def test_metadata_says_which_bundle_is_later() -> None:
    old, new = (json.dumps({"package": "p", "version": v}).encode() for v in ("1.9.0", "1.10.0"))
    assert is_newer(new, old)
    assert not is_newer(old, new)
    assert not is_newer(old, old)
    for broken in (b"", b"[]", b'{"version": 3}', b"{", b"\xff", b"[" * 100_000):
        assert not is_newer(broken, old)
        assert not is_newer(new, broken)
