"""`python -m mobile_export`."""

import sys

from mobile_export.cli import main

sys.exit(main())
