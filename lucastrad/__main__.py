"""`python -m lucastrad`."""

import sys

from lucastrad.cli import main

sys.exit(main())
