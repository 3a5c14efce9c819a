"""Bytes to values and back: Borsh, length frames, canonical JSON. Knows no key, no store and no peer."""
