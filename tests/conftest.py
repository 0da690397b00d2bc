"""What every test shares: Hypothesis draws the same examples on every machine and in every run."""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
