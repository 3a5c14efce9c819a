"""The runtime worker: contexts, their state and their guests."""
