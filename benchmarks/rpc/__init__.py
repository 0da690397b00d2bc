"""How the daemon serves many clients at once: `python -m benchmarks.rpc`."""
