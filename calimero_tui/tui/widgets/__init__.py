"""Small widgets with messages of their own; they know view models, never the network."""
