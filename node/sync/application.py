"""The application of a context: fetched from a peer when it is not installed here, so that deltas can be applied."""

from __future__ import annotations

from node.context.application import is_newer
from node.errors import ApplicationNotInstalled, CalimeroError
from node.sync import blob
from node.sync.core import Core
from node.sync.followed import Followed
from node.sync.kernel import Ask
from node.sync.ports import (
    Application,
    Describe,
    Description,
    FindApplication,
    FindBlob,
    InstallApplication,
    ReadApplication,
)
from node.sync.streams import Link


async def _wanted(context: Followed, described: Description, found: Application | None) -> Application:
    """The application as the registry names it, read once; with what is here, a registry that is away is no trouble."""
    if context.application is None or context.application.id != described.application_id:
        try:
            context.application = await Ask(ReadApplication(context.id, described.config))
        except CalimeroError:
            if found is None:
                raise
            return found
    return context.application


def _replaces(wanted: Application, found: Application) -> bool:
    """A bundle has the same id in every version; a later one is fetched, an earlier one never comes back."""
    return wanted.id == found.id and wanted.blob_id != found.blob_id and is_newer(wanted.metadata, found.metadata)


async def ensure(core: Core, context: Followed, link: Link) -> None:
    """Make the context's application runnable, by a blob transfer from this peer if need be.

    Raises :class:`ApplicationNotInstalled` when that fails; the deltas that wait for it stay where they are.
    """
    described = await Ask(Describe(context.id))
    context.application_id = described.application_id
    found = await Ask(FindApplication(described.application_id))
    wanted = await _wanted(context, described, found)
    if found is not None and not _replaces(wanted, found):
        return
    try:
        if await Ask(FindBlob(wanted.blob_id)) is None:
            await blob.fetch(core, context, link, wanted.blob_id, wanted.size)
        await Ask(InstallApplication(context.id, wanted))
    except CalimeroError as error:
        raise ApplicationNotInstalled(
            f"application {wanted.id} of context {context.id} could not be fetched from peer {link.peer}: {error}; "
            "install it here, or keep a member online that has it"
        ) from error
    core.tell("application", "installed", context, application=str(wanted.id), peer=link.peer)
