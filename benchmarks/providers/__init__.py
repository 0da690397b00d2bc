"""How much the daemon adds to a language-model provider: latency of the first words, and throughput."""
