"""The shell: one line, one action of the registry. Parsing and completion are pure; the terminal is a thin shell."""
