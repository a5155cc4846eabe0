"""What the network sees, made exact by multi-view geometry: `app.refinement.refine.refine`.

The command line imports this package at every start, so it imports nothing here: pycolmap takes
its time and memory.
"""
