"""``calimero app inspect``, ``bundle`` and ``dev``: what an author does with an application's files.

``dev`` installs a file again whenever it changes, and moves a context to it if one is named.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from calimero_tui.commands.surface import Surface
from calimero_tui.output import show
from node.errors import ClientError, Refused

if TYPE_CHECKING:
    from calimero_tui.client.node import Node

POLL: Final = 0.25
"""Seconds between two looks at the file."""

UNSUPPORTED: Final = 1
"""Exit code for a module that nodes of this version cannot run."""

IMPORT_COLUMNS: Final = (("IMPORT", "name"), ("TYPE", "type"), ("SUPPORTED", "supported"))

Stamp = tuple[int, int, int]
"""Time of change, size and inode: what differs after every build."""


# -- bundle


def bundle_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("module", type=Path, metavar="MODULE", help="the application's .wasm file")
    add("--package", required=True, metavar="NAME", help="name of the package, e.g. com.example.notes")
    add("--version", required=True, metavar="VERSION", help="MAJOR.MINOR.PATCH")
    add("--key", required=True, type=Path, metavar="FILE", help="signing key; made if it is not there")
    add("--out", type=Path, metavar="FILE", help="the bundle to make (default: PACKAGE-VERSION.mpk)")
    add("--name", metavar="TEXT", help="name for people (default: the last part of the package)")
    add("--description", metavar="TEXT", help="what the application is for")
    add("--abi", type=Path, metavar="FILE", help="its ABI (default: MODULE's name with .abi.json, if there)")
    add("--force", action="store_true", help="replace a bundle that is there")
    add("--json", action="store_true", help="one JSON value on stdout")


def bundle(options: argparse.Namespace) -> int:
    from calimero_tui import launch

    out = options.out or Path(f"{options.package}-{options.version}.mpk")
    fields = ("module", "package", "version", "key", "name", "description", "abi", "force")
    made = launch.bundle({"out": out} | {name: getattr(options, name) for name in fields})
    if made["new_key"]:
        show.note(f"made the signing key {options.key}: keep it, later versions must be signed with it")
    show.result(made, as_json=options.json)
    return 0


BUNDLE = Surface(
    "bundle",
    "Make and sign a bundle (.mpk) of an application",
    "calimero app bundle notes.wasm --package com.example.notes --version 1.0.0 --key notes.key",
    bundle_options,
    bundle,
    group="app",
)


# -- inspect


def inspect_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, metavar="FILE", help="the application's .wasm file")
    command.add_argument("--json", action="store_true", help="one JSON value on stdout")


def inspect(options: argparse.Namespace) -> int:
    from calimero_tui import launch

    report = launch.inspect_module(options.file)
    if options.json:
        show.data(report)
    else:
        show.result(summary(report))
        show.line("")
        show.table([_import_row(row) for row in report["imports"]], IMPORT_COLUMNS)
    return 0 if report["supported"] else UNSUPPORTED


ABI_SOURCES: Final = {
    "section": "in the module, as a section",
    "export": "in the module, by its exports",
    "sidecar": "beside the module: in the bundle, or a file",
}


def summary(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report's lines for people; the imports are a table of their own."""
    compile_ms = report["compileMs"]
    return {
        "file": report["file"],
        "size": f"{report['size']} bytes",
        "SDK": report["flavour"],
        "runs here": report["supported"],
        "compiles in": None if compile_ms is None else f"{compile_ms:.0f} ms",
        "memory": f"{report['memoryBytes'] // 1024} KiB at the start",
        "ABI": ABI_SOURCES.get(report["abi"], "none: methods are the exports"),
        "methods": report["signatures"] or report["methods"],
        "events": report["events"],
        "problems": report["problems"],
        "warnings": report["warnings"],
    }


def _import_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "supported": row["problem"] or "yes"}


INSPECT = Surface(
    "inspect",
    "Show what an application offers and needs, and whether nodes of this version run it",
    "calimero app inspect ./target/notes.wasm",
    inspect_options,
    inspect,
    group="app",
)


# -- dev


def dev_options(command: argparse.ArgumentParser) -> None:
    from calimero_tui.cli import add_node_options

    command.add_argument("file", type=Path, metavar="FILE", help="a .wasm file on the node's machine")
    command.add_argument("--context", metavar="CONTEXT", help="context that uses each new version")
    command.add_argument("--count", type=int, metavar="N", help="stop after N installs")
    add_node_options(command)


def dev(options: argparse.Namespace) -> int:
    import asyncio

    if options.file.suffix == ".mpk":
        raise Refused(f"{options.file} is a bundle; name the .wasm file that changes", kind="argument")
    return asyncio.run(_dev(options))


async def _dev(options: argparse.Namespace) -> int:
    from calimero_tui.actions.base import Session
    from calimero_tui.actions.parameters import context_of
    from calimero_tui.client.http import Http
    from calimero_tui.client.node import Node

    installs = 0
    async with Http(options.node) as http:
        node = Node(http)
        context = await context_of(Session(node), options.context) if options.context else None
        async for path in versions(options.file.expanduser().absolute()):
            if not await _install(node, path, context, options):
                continue
            installs += 1
            if options.count is not None and installs >= options.count:
                break
    return 0


async def _install(node: Node, path: Path, context: str | None, options: argparse.Namespace) -> bool:
    """Install one version. A build that the node refuses is told, and the next one awaited."""
    try:
        application = await node.install_path(str(path))
        if context is not None:
            await _use(node, context, application)
    except ClientError as error:
        show.note(f"{path.name}: {error}")
        return False
    show.result({"application": application, "context": context}, as_json=options.json)
    return True


async def _use(node: Node, context_id: str, application: str) -> None:
    owned = await node.owned(context_id)
    if not owned:
        raise Refused(f"this node has no identity in context {context_id}", kind="argument")
    await node.update_application(context_id, application, owned[0])


async def versions(path: Path) -> AsyncIterator[Path]:
    """The path, now and whenever the file has changed and then been still for a moment, so that no half-written build
    is installed. Raises :class:`Refused` when there is no file at first."""
    import asyncio

    if _stamp(path) is None:
        raise Refused(f"there is no file {path}", kind="argument")
    used: Stamp | None = None
    last: Stamp | None = _stamp(path)
    while True:
        now = _stamp(path)
        if now is not None and now == last and now != used:
            used = now
            yield path
        last = now
        await asyncio.sleep(POLL)


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


DEV = Surface(
    "dev",
    "Install an application again whenever its file changes",
    "calimero app dev ./target/notes.wasm --context US517G5965aydkZ46HS38QLi7UQiSojurfbQfKCELFx",
    dev_options,
    dev,
    group="app",
)
