"""One screen a module; each shows one view model and turns keys into messages for the app."""
