"""The dashboard: screens over plain view models. It talks to nodes through the client alone, and no error ends it."""
