"""Actions on applications and blobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from calimero_tui.actions.base import Arguments, Kind, Parameter, Registry, Session, Source
from calimero_tui.actions.parameters import APPLICATION, METADATA, context_of
from node.errors import InvalidId, Refused
from node.primitives import Hash

REGISTRY = Registry()
action = REGISTRY.action

HEX_HASH = 64
"""Digits of a SHA-256 in hex."""


@action(
    "app ls",
    "List the installed applications",
    columns=(("application", "id"), ("bytes", "size"), ("source", "source")),
    example="calimero app ls",
)
async def list_applications(session: Session, _: Arguments) -> Any:
    return [
        {"id": row["id"], "size": row["size"], "source": row["source"], "blob": row["blob"]["bytecode"]}
        for row in await session.node.applications()
    ]


@action(
    "app install",
    "Install an application from a file on the node's machine or from a URL",
    Parameter("source", "path of a .wasm or .mpk file, or an http(s) URL", Kind.PATH, source=Source.FILES),
    METADATA,
    Parameter("hash", "SHA-256 that the file of a URL must have, in hex or base58", default=None, option=True),
    example="calimero app install ./kv.wasm",
    changes=True,
)
async def install(session: Session, given: Arguments) -> Any:
    source, metadata = str(given["source"]), str(given["metadata"]).encode()
    if source.startswith(("http://", "https://")):
        sha256 = None if given["hash"] is None else str(_hash(given["hash"]))
        return {"application": await session.node.install_url(source, sha256=sha256, metadata=metadata)}
    if given["hash"] is not None:
        raise Refused("hash is for what is downloaded; a file is installed as it is", kind="argument")
    path = _existing(source)
    return {"application": await session.node.install_path(str(path), metadata=metadata)}


def _hash(text: str) -> Hash:
    try:
        return Hash(bytes.fromhex(text)) if len(text) == HEX_HASH else Hash.parse(text)
    except (InvalidId, ValueError) as error:
        raise Refused(f"hash: {text!r} is no SHA-256: {error}", kind="argument") from error


@action(
    "app show",
    "Show an installed application",
    APPLICATION,
    example="calimero app show US517G5965aydkZ46HS38QLi7UQiSojurfbQfKCELFx",
)
async def show(session: Session, given: Arguments) -> Any:
    row = await session.node.application(given["application"])
    if row is None:
        raise Refused(f"{session.node.url} has no application {given['application']}; `calimero app ls` lists them")
    metadata = bytes(row["metadata"]).decode(errors="replace")
    return {
        "id": row["id"],
        "size": row["size"],
        "source": row["source"],
        "blob": row["blob"]["bytecode"],
        "metadata": metadata,
    }


@action(
    "app packages",
    "List packages and their versions",
    columns=(("package", "package"), ("versions", "versions")),
    example="calimero app packages",
)
async def packages(session: Session, _: Arguments) -> Any:
    names = await session.node.packages()
    return [{"package": name, "versions": await session.node.versions(name)} for name in names]


@action(
    "app uninstall",
    "Remove an application from this node",
    APPLICATION,
    example="calimero app uninstall US517G5965aydkZ46HS38QLi7UQiSojurfbQfKCELFx",
    confirm=True,
    changes=True,
)
async def uninstall(session: Session, given: Arguments) -> Any:
    await session.node.uninstall(given["application"])
    return {"application": given["application"], "removed": True}


_MEMBERS = Parameter("context", "context whose members take part", default=None, source=Source.CONTEXTS, option=True)


@action(
    "blob ls",
    "List the stored blobs",
    columns=(("blob", "blob_id"), ("bytes", "size")),
    example="calimero blob ls",
)
async def list_blobs(session: Session, _: Arguments) -> Any:
    return await session.node.blobs.ls()


@action(
    "blob put",
    "Store a file as a blob",
    Parameter("file", "path of the file", Kind.PATH, source=Source.FILES),
    _MEMBERS,
    example="calimero blob put ./picture.png",
    changes=True,
)
async def put_blob(session: Session, given: Arguments) -> Any:
    return await session.node.blobs.put(_existing(given["file"]), await _members(session, given))


@action(
    "blob get",
    "Write a blob into a file",
    Parameter("blob", "id of the blob", source=Source.BLOBS),
    Parameter("file", "path to write; must not exist", Kind.PATH),
    _MEMBERS,
    example="calimero blob get B4vDoZ2b3EoHNyf727eRqm5cKwbniJL7NTwPqs3o4cwH ./picture.png",
)
async def get_blob(session: Session, given: Arguments) -> Any:
    path = _free(given["file"])
    size = await session.node.blobs.get(given["blob"], path, await _members(session, given))
    return {"blob": given["blob"], "file": str(path), "size": size}


@action(
    "blob rm",
    "Delete a blob",
    Parameter("blob", "id of the blob", source=Source.BLOBS),
    example="calimero blob rm B4vDoZ2b3EoHNyf727eRqm5cKwbniJL7NTwPqs3o4cwH",
    confirm=True,
    changes=True,
)
async def remove_blob(session: Session, given: Arguments) -> Any:
    return await session.node.blobs.delete(given["blob"])


@action(
    "blob usage",
    "Show how much room blobs take, and what could be freed",
    example="calimero blob usage",
)
async def blob_usage(session: Session, _: Arguments) -> Any:
    return await session.node.blobs.usage()


@action(
    "blob collect",
    "Delete copies, bytecode and leftovers that nothing needs",
    example="calimero blob collect",
    changes=True,
)
async def collect_blobs(session: Session, _: Arguments) -> Any:
    return await session.node.blobs.collect()


@action(
    "blob pin",
    "Keep a blob whatever happens",
    Parameter("blob", "id of the blob", source=Source.BLOBS),
    example="calimero blob pin B4vDoZ2b3EoHNyf727eRqm5cKwbniJL7NTwPqs3o4cwH",
    changes=True,
)
async def pin_blob(session: Session, given: Arguments) -> Any:
    return await session.node.blobs.pin(given["blob"])


@action(
    "blob unpin",
    "Let a pinned blob be deleted again",
    Parameter("blob", "id of the blob", source=Source.BLOBS),
    example="calimero blob unpin B4vDoZ2b3EoHNyf727eRqm5cKwbniJL7NTwPqs3o4cwH",
    changes=True,
)
async def unpin_blob(session: Session, given: Arguments) -> Any:
    return await session.node.blobs.pin(given["blob"], pinned=False)


async def _members(session: Session, given: Arguments) -> str | None:
    """The context that is named here; the session's own does not count, a blob needs none."""
    return None if given["context"] is None else await context_of(session, given["context"])


def _existing(text: str) -> Path:
    path = Path(text).expanduser().resolve()
    if not path.is_file():
        raise Refused(f"there is no file {path}", kind="argument")
    return path


def _free(text: str) -> Path:
    path = Path(text).expanduser()
    if path.exists():
        raise Refused(f"{path} exists already; name another file", kind="argument")
    return path
