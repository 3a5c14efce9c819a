"""Actions on applications and blobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from calimero_tui.actions.base import Arguments, Kind, Parameter, Registry, Session, Source
from calimero_tui.actions.parameters import APPLICATION, METADATA
from node.errors import Refused

REGISTRY = Registry()
action = REGISTRY.action


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
    example="calimero app install ./kv.wasm",
    changes=True,
)
async def install(session: Session, given: Arguments) -> Any:
    source, metadata = str(given["source"]), str(given["metadata"]).encode()
    if source.startswith(("http://", "https://")):
        return {"application": await session.node.install_url(source, metadata=metadata)}
    path = _existing(source)
    return {"application": await session.node.install_path(str(path), metadata=metadata)}


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
    example="calimero blob put ./picture.png",
    changes=True,
)
async def put_blob(session: Session, given: Arguments) -> Any:
    return await session.node.blobs.put(_existing(given["file"]))


@action(
    "blob get",
    "Write a blob into a file",
    Parameter("blob", "id of the blob", source=Source.BLOBS),
    Parameter("file", "path to write; must not exist", Kind.PATH),
    example="calimero blob get B4vDoZ2b3EoHNyf727eRqm5cKwbniJL7NTwPqs3o4cwH ./picture.png",
)
async def get_blob(session: Session, given: Arguments) -> Any:
    path = _free(given["file"])
    return {"blob": given["blob"], "file": str(path), "size": await session.node.blobs.get(given["blob"], path)}


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
