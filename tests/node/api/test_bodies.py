from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.api import models
from node.api.bodies import PLAIN, VALIDATED, read_body, too_large
from node.api.errors import Family, Refusal
from tests.node.api.ids import APP, CTX, PK, PROPOSAL

JSON = "application/json"
SHAPE = "Failed to deserialize the JSON body into the target type: "


def refused(model: Any, value: Any, wording: Any = VALIDATED, content_type: str = JSON) -> Refusal:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    with pytest.raises(Refusal) as caught:
        read_body(wording, model, content_type, raw)
    return caught.value


CREATE = {"protocol": "near", "applicationId": str(APP), "contextSeed": None, "initializationParams": [123, 125]}


def test_a_body_becomes_its_model() -> None:
    found = read_body(VALIDATED, models.CreateContext, JSON, json.dumps({**CREATE, "more": 1}).encode())
    assert found == models.CreateContext("near", APP, [123, 125], None)


def test_optional_members_may_be_absent() -> None:
    body = {name: value for name, value in CREATE.items() if name != "contextSeed"}
    assert read_body(VALIDATED, models.CreateContext, JSON, json.dumps(body).encode()).context_seed is None


@pytest.mark.parametrize(
    ("wording", "content_type", "raw", "status", "family", "text"),
    [
        (VALIDATED, "", b"{}", 400, Family.JSON, "Expected request with `Content-Type: application/json`"),
        (PLAIN, "", b"{}", 415, Family.TEXT, "Expected request with `Content-Type: application/json`"),
        (VALIDATED, JSON, b"{", 400, Family.JSON, "JSON syntax error: Failed to parse the request body as JSON: "),
        (PLAIN, JSON, b"{", 400, Family.TEXT, "Failed to parse the request body as JSON: "),
        (VALIDATED, JSON, b"{}", 400, Family.JSON, f"Invalid JSON data: {SHAPE}missing field `invitationPayload`"),
        (PLAIN, JSON, b"{}", 422, Family.TEXT, f"{SHAPE}missing field `invitationPayload`"),
    ],
)
def test_the_two_families_word_the_same_mistakes(
    wording: Any, content_type: str, raw: bytes, status: int, family: Family, text: str
) -> None:
    found = refused(models.Join, raw, wording, content_type)
    assert (found.status, found.family) == (status, family)
    assert str(found).startswith(text)


def test_a_body_that_is_too_large_is_worded_by_family() -> None:
    assert (too_large(VALIDATED).status, too_large(PLAIN).status) == (400, 413)
    assert str(too_large(PLAIN)) == "Failed to buffer the request body: length limit exceeded"
    assert str(too_large(VALIDATED)).startswith("Failed to read request body: ")


def test_an_id_is_refused_in_the_words_of_the_reference_with_its_place() -> None:
    found = refused(models.CreateContext, {**CREATE, "applicationId": "abc"})
    assert str(found) == f"Invalid JSON data: {SHAPE}applicationId: invalid length 3, expected a base58 encoded hash"


def test_an_address_to_install_from_is_absolute() -> None:
    found = refused(models.InstallUrl, {"url": "nope", "metadata": []})
    assert str(found) == f'Invalid JSON data: {SHAPE}url: relative URL without a base: "nope"'
    assert found.status == 400
    body = json.dumps({"url": "ftp://h/a.wasm", "metadata": []}).encode()
    assert read_body(VALIDATED, models.InstallUrl, JSON, body).url == "ftp://h/a.wasm"


def test_a_capability_is_one_of_three() -> None:
    found = refused(models.Capabilities, {"capabilities": [[str(PK), "Fly"]], "signer_id": str(PK)})
    assert str(found) == f"Invalid JSON data: {SHAPE}capabilities[0][1]: unknown variant `Fly`"


@pytest.mark.parametrize("wrong", [True, 1, None, [], {}])
def test_an_id_must_be_a_text(wrong: Any) -> None:
    assert "applicationId" in str(refused(models.CreateContext, {**CREATE, "applicationId": wrong}))


@pytest.mark.parametrize("wrong", ["AAAA", [256], [-1], [1.5], [True], None])
def test_byte_vectors_are_lists_of_small_numbers(wrong: Any) -> None:
    assert refused(models.CreateContext, {**CREATE, "initializationParams": wrong}).status == 400


TOO_LONG = "exceeds maximum length of"
METADATA = "Field 'metadata' exceeds maximum size of 65536 bytes (got 65537)"


@pytest.mark.parametrize(
    ("model", "body", "text"),
    [
        (models.CreateContext, {**CREATE, "protocol": ""}, "Field 'protocol' is required but was empty"),
        (models.CreateContext, {**CREATE, "protocol": "p" * 65}, f"Field 'protocol' {TOO_LONG} 64 characters (got 65)"),
        (
            models.CreateContext,
            {**CREATE, "initializationParams": [0] * 1_048_577},
            "Field 'initialization_params' exceeds maximum size of 1048576 bytes (got 1048577)",
        ),
        (
            models.InstallPath,
            {"path": "é" * 2049, "metadata": [0] * 65_537},
            f"Validation errors: Field 'path' {TOO_LONG} 4096 characters (got 4098); {METADATA}",
        ),
        (
            models.InstallPath,
            {"path": "a\0", "metadata": []},
            r"Field 'path' has invalid format: contains control character '\0' which is not allowed",
        ),
        (models.Page, {"offset": 1_000_001, "limit": 1}, "Field 'offset' value 1000001 exceeds maximum of 1000000"),
        (models.Page, {"offset": 0, "limit": 0}, "Field 'limit' value 0 is below minimum of 1"),
        (models.Page, {"offset": 0, "limit": 1001}, "Field 'limit' value 1001 exceeds maximum of 1000"),
        (models.ContextValue, {"key": ""}, "Field 'key' is required but was empty"),
        (
            models.InviteOpen,
            {"contextId": str(CTX), "inviterId": str(PK), "validForBlocks": 31_536_001},
            "Field 'valid_for_blocks' value 31536001 exceeds maximum of 31536000",
        ),
        (
            models.Capabilities,
            {"capabilities": [[str(PK), "Proxy"]] * 101, "signer_id": str(PK)},
            "Field 'capabilities' contains too many items: 101 (max 100)",
        ),
        (models.Attest, {"nonce": "00"}, "Field 'nonce' must be exactly 64 characters (got 2)"),
        (
            models.Attest,
            {"nonce": "g" * 64},
            "Field 'nonce' contains invalid hex encoding: contains non-hexadecimal characters",
        ),
    ],
)
def test_limits_are_told_in_the_words_of_the_reference(model: Any, body: Any, text: str) -> None:
    found = refused(model, body)
    assert (str(found), found.status, found.family) == (text, 400, Family.JSON)


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (models.CreateContext, {**CREATE, "protocol": "p" * 64, "initializationParams": [0] * 1_048_576}),
        (models.InstallPath, {"path": "p" * 4096, "metadata": [0] * 65_536, "package": "x" * 128, "version": "v" * 64}),
        (models.Page, {"offset": 1_000_000, "limit": 1000}),
        (models.InviteOpen, {"contextId": str(CTX), "inviterId": str(PK), "validForBlocks": 31_536_000}),
        (models.Capabilities, {"capabilities": [[str(PK), "Proxy"]] * 100, "signer_id": str(PK)}),
        (models.Attest, {"nonce": "aA" * 32}),
    ],
)
def test_values_at_their_limits_are_accepted(model: Any, body: Any) -> None:
    read_body(VALIDATED, model, JSON, json.dumps(body).encode())


def proposal(*actions: Any, **more: Any) -> dict[str, Any]:
    return {
        "signerId": str(PK),
        "proposal": {"id": str(PROPOSAL), "author_id": str(PK), "actions": list(actions), **more},
    }


GOOD_ACTIONS = [
    {
        "scope": "ExternalFunctionCall",
        "params": {"receiver_id": "a", "method_name": "m", "args": "{}", "deposit": (1 << 128) - 1},
    },
    {"scope": "Transfer", "params": {"receiver_id": "a.near", "amount": 5}},
    {"scope": "SetNumApprovals", "params": {"num_approvals": 2}},
    {"scope": "SetActiveProposalsLimit", "params": {"active_proposals_limit": 2}},
    {"scope": "SetContextValue", "params": {"key": [1], "value": [2]}},
    {"scope": "DeleteProposal", "params": {"proposal_id": str(PROPOSAL)}},
]


def test_every_action_of_a_proposal_is_read() -> None:
    found = read_body(VALIDATED, models.NewProposal, JSON, json.dumps(proposal(*GOOD_ACTIONS)).encode())
    assert [action.scope for action in found.proposal.actions] == list(models.ACTIONS)


@pytest.mark.parametrize(
    "body",
    [
        proposal({"scope": "Unheard", "params": {}}),
        proposal({"scope": "Transfer", "params": {"receiver_id": "a", "amount": "5"}}),
        proposal({"scope": "Transfer", "params": {"receiver_id": "a", "amount": 5, "memo": ""}}),
        proposal({"scope": "Transfer", "params": {"receiver_id": "a", "amount": -5}}),
        proposal({"scope": "SetNumApprovals", "params": {"num_approvals": 1 << 32}}),
        proposal(more=1),
    ],
)
def test_a_proposal_with_anything_else_is_refused(body: Any) -> None:
    assert refused(models.NewProposal, body).status == 400


MODELS = [kind for kind in vars(models).values() if isinstance(kind, type) and issubclass(kind, models.Body)]
NAMES = st.sampled_from(["contextId", "path", "url", "metadata", "alias", "key", "limit", "offset", "proposal"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@given(model=st.sampled_from(MODELS), value=VALUES)
def test_any_value_is_a_model_or_refused(model: Any, value: Any) -> None:
    status = None
    try:
        read_body(VALIDATED, model, JSON, json.dumps(value).encode())
    except Refusal as refusal:
        status = refusal.status
    assert status in (None, 400)
