"""Typed messages between two processes of one node, over a pair of connected sockets.

``core`` holds the rules and does no I/O: frames, open requests with deadlines, the bounded outbox. ``link`` joins it to
a non-blocking socket. Three shells with the same names decide when to read and write: ``asyncio_``, ``trio_`` and
``blocking``. Each direction of a channel has exactly one writer and one reader, so a killed worker can never leave a
lock behind.

The rules that a user of a channel can rely on:

- A request is answered, fails with the error that its handler raised, with :class:`DeadlineExceeded` after its time, or
  with :class:`WorkerLost` as soon as the other process is gone. A late answer is dropped.
- Memory is bounded: requests and notes go into an outbox of limited size (full: :class:`Busy`), and at most
  ``MAX_OPEN`` requests of one side are unanswered, which bounds the answers of the other.
- Notes and requests are handed to the handlers in the order in which they were sent.
"""
