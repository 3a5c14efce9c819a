"""The node without sockets, processes, clocks or event loops: state machines, codecs and rules.

Everything here can run inside the simulator. Time, randomness and I/O come in as arguments.
"""
