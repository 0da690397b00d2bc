"""The version of the distribution, and of the contract."""

__version__ = "1.1.0"

PROTOCOL_VERSION = 1
"""Raised when a method changes in a way that an older client or daemon would misread."""
