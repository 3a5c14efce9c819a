"""Made-up requests against a real node: ``python -m tests.fuzz_api [--cases N] [--seed N] [--json]``.

Three sources: schemathesis over the node's own OpenAPI document, a grammar of JSON-RPC envelopes and batches, and a
grammar of WebSocket messages and frames. What counts as a fault is written in :mod:`tests.fuzz_api.rules`.
"""
