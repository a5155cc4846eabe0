"""Offline side of Pocket VGGT: the network, its data, its quantization and its evaluation."""
