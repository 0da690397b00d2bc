"""How fast a workspace is indexed, searched and kept fresh, and what that costs: `python -m benchmarks.indexing`."""
