"""Our programs beside what one would use instead: torch, ONNX Runtime and OpenVINO.

`subject` and `networks` say what is computed, `engines` who computes it, the `*_files` what each
engine is given, `child` how it runs it, `measure` and `table` what is found.
"""
