"""The registry process of a coordinator node."""
