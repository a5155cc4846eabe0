"""`python -m fgq`."""

import sys

from fgq.cli import main

sys.exit(main())
