"""Measurements of LucAstra on real code: `python -m benchmarks.indexing`, `python -m benchmarks.rpc`."""
