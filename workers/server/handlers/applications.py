"""Applications and packages. core 0.10.0: crates/server/src/admin/handlers/{applications,packages}.rs."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from node.api import models
from node.primitives import ApplicationId, BlobId
from workers.messages import runtime, sync
from workers.messages.records import ApplicationRecord
from workers.server.api import Api
from workers.server.replies import data, path_id, reply

_SEMVER = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?")


def application_json(record: ApplicationRecord) -> dict[str, Any]:
    """Compiled code lies in a cache and not in a blob, so ``compiled`` is always zero."""
    return {
        "id": str(record.id),
        "blob": {"bytecode": str(record.blob_id), "compiled": str(BlobId.zero())},
        "size": record.size,
        "source": record.source,
        "metadata": list(record.metadata),
    }


async def install_url(api: Api, request: Request, body: models.InstallUrl) -> Response:
    made = await api.backend.transfer(
        sync.InstallUrl(str(body.url), body.hash, bytes(body.metadata), body.package, body.version)
    )
    return _installed(made)


async def install_path(api: Api, request: Request, body: models.InstallPath) -> Response:
    made = await api.backend.sync(sync.InstallFile(body.path, bytes(body.metadata), body.package, body.version))
    return _installed(made)


def _installed(made: sync.Installed) -> Response:
    return data({"applicationId": str(made.application.id)})


async def applications(api: Api, request: Request, body: Any) -> Response:
    return data({"apps": [application_json(record) for record in await api.backend.applications()]})


async def application(api: Api, request: Request, body: Any) -> Response:
    wanted = path_id(ApplicationId, request, "application")
    found = (await api.backend.node_rows(runtime.GetApplication(wanted))).application
    return data({"application": None if found is None else application_json(found)})


async def uninstall(api: Api, request: Request, body: Any) -> Response:
    wanted = path_id(ApplicationId, request, "application")
    await api.backend.sync(sync.Uninstall(wanted))
    return data({"applicationId": str(wanted)})


# -- packages


async def packages(api: Api, request: Request, body: Any) -> Response:
    return reply({"packages": sorted({record.package for record in await api.backend.applications()})})


async def package_versions(api: Api, request: Request, body: Any) -> Response:
    return reply({"versions": [record.version for record in await _of_package(api, request)]})


async def package_latest(api: Api, request: Request, body: Any) -> Response:
    found = await _of_package(api, request)
    if not found:
        return reply({"applicationId": None, "version": None})
    latest = max(found, key=lambda record: version_key(record.version))
    return reply({"applicationId": str(latest.id), "version": latest.version})


async def _of_package(api: Api, request: Request) -> list[ApplicationRecord]:
    wanted = request.path_params["package"]
    return [record for record in await api.backend.applications() if record.package == wanted]


def version_key(text: str) -> tuple[bool, tuple[int, ...], bool, str]:
    """Semantic versions above anything else, a release above its pre-releases."""
    match = _SEMVER.fullmatch(text)
    if match is None:
        return False, (), False, text
    return True, tuple(int(part) for part in match.groups()[:3]), match[4] is None, match[4] or ""
