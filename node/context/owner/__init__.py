"""The single writer of a context: executes calls, applies deltas, serves and installs state.

One :class:`~node.context.owner.owner.ContextOwner` holds a context. It alone writes the context's rows, so it may keep
what it has read; every change is one batch, and memory follows the batch, never the other way round.
"""
