"""`python -m app devices`: what there is to capture with, to compute on and to draw with."""

import argparse
from collections.abc import Sequence
from typing import Any

from app.capture.devices import list_cameras, names_are_known
from app.engine.forecast import usable_cores


def add_parser(commands: Any) -> None:
    """Add the command to the app's."""
    commands.add_parser("devices", help="list the cameras, processor and graphics of this machine")


def run(arguments: argparse.Namespace, argv: Sequence[str]) -> None:
    """Print one line for each device, and one for what is missing."""
    cameras = list_cameras()
    for camera in cameras:
        place = "" if names_are_known() else " (this system tells no names: open it to find out)"
        print(f'camera     {camera.index}: {camera.name}, as source "{camera.spec}"{place}')
    if not cameras:
        print("camera     none: use a video file or a folder of images")
    print(f"processor  {usable_cores()} cores, as many threads for the model")
    # Imported here: nothing else of a command line needs graphics.
    from app.ui.adapter import find_adapter

    adapter = find_adapter()
    kind = " (software, so it draws fewer points)" if adapter and adapter.is_cpu else ""
    print(f"graphics   {adapter.summary}{kind}" if adapter else "graphics   none: no 3D view")
