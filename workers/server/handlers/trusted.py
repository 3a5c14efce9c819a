"""Trusted hardware, which this node does not have: bodies are checked, then told so in the reference's words.

core 0.10.0: crates/server/src/admin/handlers/tee.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from node.api import models
from node.api.errors import BadRequest, Family, Missing, Refusal
from node.errors import ContextError
from workers.messages import runtime
from workers.server.api import Api

__all__ = ["invite_specialized", "tee_attest", "tee_info", "tee_verify"]

_NOT_BASE64: Final = re.compile(r"[^A-Za-z0-9+/=]")


async def tee_info(api: Api, request: Request, body: Any) -> Response:
    raise ContextError(
        "Failed to get TEE info: Failed to get TEE info: Not supported: this machine has no TDX hardware"
    )


async def tee_attest(api: Api, request: Request, body: models.Attest) -> Response:
    wanted = body.application_id
    if wanted is not None and (await api.backend.node_rows(runtime.GetApplication(wanted))).application is None:
        raise Missing(f"Application '{wanted}' not found")
    raise ContextError("Failed to generate TDX quote: CannotFindTsmDir")


async def tee_verify(api: Api, request: Request, body: models.VerifyQuote) -> Response:
    if (bad := _NOT_BASE64.search(body.quote_b64)) is not None:
        offset = len(body.quote_b64[: bad.start()].encode())
        raise BadRequest(f"Invalid base64 quote: Invalid symbol {bad[0].encode()[0]}, offset {offset}.")
    try:
        base64.b64decode(body.quote_b64, validate=True)
    except binascii.Error as error:
        raise BadRequest("Invalid base64 quote: Invalid padding") from error
    raise BadRequest("Failed to parse TDX quote: Parse")


async def invite_specialized(api: Api, request: Request, body: models.InviteSpecialized) -> Response:
    """Needs the verification of a quote on this side."""
    members = (await api.backend.owner(body.context_id, runtime.ListMembers(body.context_id))).members
    if not any(member.owned for member in members):
        raise BadRequest("No owned identities found for context")
    raise Refusal("this node cannot verify trusted hardware; invite a member instead", 501, Family.JSON)
