"""`python -m app`, and the program of the frozen app."""

import sys

if sys.argv[1:] == ["engine-program"]:
    # The child process of app.engine: it needs nothing of the command line.
    from app.engine.program import main as serve

    sys.exit(serve())

from app.cli import main

sys.exit(main())
