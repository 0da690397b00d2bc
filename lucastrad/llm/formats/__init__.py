"""The wire formats of the APIs: request bodies out, decoded answers in. No I/O."""
