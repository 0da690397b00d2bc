"""How the vector index compares with others on real code: `python -m benchmarks.vector_index`."""
