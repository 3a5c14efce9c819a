"""The HTTP API without I/O: routes, request models, JSON-RPC, errors. core 0.10.0: crates/server."""
