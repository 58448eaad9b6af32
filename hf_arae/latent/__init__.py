"""The space of codes: one interface to it, paths in it, maps of it."""
