"""The life of a context from its creation to its end, through every surface and with every test application."""
