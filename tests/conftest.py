"""What every test shares: Hypothesis draws the same examples in every run, and Ctrl-C works in started programs."""

import signal

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

# A shell that runs the tests in the background has SIGINT ignored, and every program started from here inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)
