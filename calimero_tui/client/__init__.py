"""The client of any Calimero node: HTTP and WebSocket, nothing else."""
