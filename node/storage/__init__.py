"""Replicated state of a context: entities in a Merkle tree, actions that change them, collections on top.

The same keys, rows, hashes and actions as calimero-storage 0.10.0. Rows are reached through a small protocol; time,
randomness, the executor and the context come in as an environment.
"""
