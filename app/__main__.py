"""`python -m app`, and the program of the frozen app."""

import sys

# The child processes need nothing of the command line.
if sys.argv[1:] == ["engine-program"]:
    from app.engine.program import main as serve

    serve()
    sys.exit()
if sys.argv[1:] == ["refine-program"]:
    from app.refinement.program import main as serve

    serve()
    sys.exit()

from app.cli import main

sys.exit(main())
