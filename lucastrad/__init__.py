"""The LucAstra daemon."""
