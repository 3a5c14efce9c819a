"""The server process: HTTP, WebSocket and SSE in front of the node."""
