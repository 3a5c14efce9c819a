"""Bundles: what one signer makes another node reads, and what strangers may not do."""

from __future__ import annotations

import gzip
import io
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.context import application, bundle
from node.crypto import ed25519
from node.errors import BundleError
from node.primitives import BlobId, PrivateKey, PublicKey

KEY = PrivateKey(b"\x07" * 32)
MODULE = b"\0asm" + bytes(200)


def _made(**changes: object) -> bytes:
    given = {"package": "com.example.app", "version": "1.2.3", "name": "Example", "module": MODULE} | changes
    return bundle.make_bundle(KEY, **given)  # type: ignore[arg-type]


def _files(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        return {m.name: archive.extractfile(m).read() for m in archive}  # type: ignore[union-attr]


def _packed(entries: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for info, content in entries:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(sink.getvalue())


def _repacked(content: bytes, change: dict[str, bytes], extra: list[tuple[tarfile.TarInfo, bytes]] = []) -> bytes:  # noqa: B006
    files = _files(content) | change
    return _packed([(tarfile.TarInfo(name), data) for name, data in files.items()] + extra)


def _manifest(content: bytes) -> dict[str, object]:
    return json.loads(_files(content)["manifest.json"])


def _with_manifest(**changes: object) -> bytes:
    content = _made()
    return _repacked(content, {"manifest.json": json.dumps(_manifest(content) | changes).encode()})


def test_application_ids_have_the_known_values() -> None:
    assert str(application.module_id(BlobId(b"\x07" * 32), 1234, "file:///app.wasm", b"")) == (
        "8czTn1TtDoFsMVz1fKjbBa2NYSkH84ycHTyCqKwMBzPD"
    )
    signer = bundle.signer_id_of(PublicKey(ed25519.public_key(PrivateKey(bytes(32)))))
    assert signer == "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"
    assert str(application.bundle_id("com.example.app", signer)) == "4Jnosm4PcAwjgbjBGUD6N76ie6ctkZn5nRtyc6a4Fv2n"


def test_a_made_bundle_is_read_again() -> None:
    found = bundle.read_bundle(_made(abi=b'{"methods":[]}'))
    assert (found.module, found.abi) == (MODULE, b'{"methods":[]}')
    assert found.signer_id == bundle.signer_id_of(ed25519.public_key(KEY))
    assert json.loads(found.row_metadata())["package"] == "com.example.app"
    assert bundle.module_of(_made()) == MODULE


def test_the_same_input_gives_the_same_bundle() -> None:
    assert _made() == _made()


def test_members_with_an_underscore_are_not_signed() -> None:
    assert bundle.read_bundle(_with_manifest(_note="x")).module == MODULE


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"appVersion": "9.9.9"}, "signature does not hold"),
        ({"signature": None}, "missing required 'signature'"),
        ({"minRuntimeVersion": "0.11.0"}, "requires runtime version 0.11.0 but current runtime is 0.10.0"),
        ({"minRuntimeVersion": "new"}, "no semantic version"),
        ({"package": ""}, "'package' field is empty"),
        ({"package": "../x"}, "no safe path component"),
        ({"extra": 1}, "signature does not hold"),
    ],
)
def test_an_altered_manifest_is_refused(changes: dict[str, object], text: str) -> None:
    with pytest.raises(BundleError, match=text):
        bundle.read_bundle(_with_manifest(**changes))


def test_a_foreign_signer_id_is_refused() -> None:
    content = _made()
    manifest = _manifest(content) | {"signerId": "did:key:zForeign"}
    signature = ed25519.sign(KEY, bundle.signing_payload(manifest))  # type: ignore[arg-type]
    manifest["signature"] = dict(manifest["signature"], signature=bundle._base64(signature))  # type: ignore[call-overload]
    altered = _repacked(content, {"manifest.json": json.dumps(manifest).encode()})
    with pytest.raises(BundleError, match="signerId mismatch: manifest declares 'did:key:zForeign'"):
        bundle.read_bundle(altered)


def test_a_swapped_module_is_refused() -> None:
    swapped = _repacked(_made(), {"app.wasm": b"\0asm" + bytes(199) + b"x"})
    with pytest.raises(BundleError, match="not what the manifest's hash says"):
        bundle.read_bundle(swapped)


def _entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (_entry("../evil"), "unsafe path"),
        (_entry("/etc/passwd"), "unsafe path"),
        (_entry("a\\b"), "unsafe path"),
        (_entry("link", tarfile.SYMTYPE, "/etc/passwd"), "link or a device"),
        (_entry("hard", tarfile.LNKTYPE, "app.wasm"), "link or a device"),
        (_entry("dev", tarfile.CHRTYPE), "link or a device"),
        (_entry("pipe", tarfile.FIFOTYPE), "link or a device"),
        (_entry("deep/manifest.json"), "2 manifests"),
        (_entry("app.wasm"), "twice"),
    ],
)
def test_unsafe_entries_are_refused(entry: tarfile.TarInfo, text: str) -> None:
    with pytest.raises(BundleError, match=text):
        bundle.read_bundle(_repacked(_made(), {}, [(entry, b"")]))


def test_bombs_are_refused_before_they_grow() -> None:
    with pytest.raises(BundleError, match="bomb"):
        bundle.read_bundle(gzip.compress(bytes(64 << 20)))
    many = [(tarfile.TarInfo(f"f{n}"), b"") for n in range(bundle.MAX_FILES + 1)]
    with pytest.raises(BundleError, match="more than 256 files"):
        bundle.read_bundle(_packed(many))


def test_what_is_no_bundle_is_named() -> None:
    for content, text in ((b"\0asm", "no gzip"), (_made()[:-20], "truncated"), (gzip.compress(b"x" * 600), "no tar")):
        with pytest.raises(BundleError, match=text):
            bundle.read_bundle(content)
    with pytest.raises(BundleError, match=r"manifest\.json not found"):
        bundle.read_bundle(_packed([(tarfile.TarInfo("app.wasm"), MODULE)]))


@given(st.data())
def test_a_damaged_bundle_never_passes_as_another(data: st.DataObject) -> None:
    content = bytearray(_made())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = bundle.read_bundle(bytes(content))
    except BundleError:
        return
    assert found.module == MODULE
