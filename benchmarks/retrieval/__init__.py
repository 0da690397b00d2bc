"""Does the right file come first? Questions that people ask, over code that they know."""
