"""Language-model providers: one Protocol, one HTTP client, and a format for each API that they speak."""
