"""The parent of a node's workers: starts, watches, restarts and stops them, hands out channels, writes their logs.

It imports no event loop and no library of a worker, so that it starts fast and has nothing that could fail.
"""
