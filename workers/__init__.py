"""Process shells over :mod:`node`: each worker is a short main loop that moves bytes and decides nothing."""
