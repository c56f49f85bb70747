"""One module a screen, each with its ``router``."""
