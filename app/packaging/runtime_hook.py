"""Runs in the frozen app before anything else."""

import os
import sys
import types

# The libraries in here are for this process, not for the browser or file manager that it starts.
if "LD_LIBRARY_PATH" in os.environ:
    before = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    os.environ.pop("LD_LIBRARY_PATH")
    if before:
        os.environ["LD_LIBRARY_PATH"] = before

# `import open3d` wants its viewers, which want dash, plotly and a web server.
sys.modules["open3d.visualization"] = types.ModuleType("open3d.visualization")
