"""From a VGGT checkpoint to a verified ExecuTorch bundle.

`mobile_export.export.export_bundle` makes a bundle, `mobile_export.bundle.read_bundle` checks one,
`mobile_export.bench.measure` times some; `python -m mobile_export` does the same from a shell.
Nothing is imported here: the exporters of torch and ExecuTorch take seconds to load.
"""
