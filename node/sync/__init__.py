"""How nodes of a context stay equal: messages, a script per protocol, and the machine that decides when and with whom.

Nothing here opens a socket, reads a clock or draws randomness: :class:`node.sync.manager.SyncManager` takes events and
returns effects, and a shell or a simulator carries them out.
"""
