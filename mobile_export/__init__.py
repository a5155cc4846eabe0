"""From a VGGT checkpoint to a verified ExecuTorch bundle."""
