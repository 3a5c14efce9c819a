"""``calimero demo``: three nodes on this machine that run one application together."""
