"""On-device side of Pocket VGGT: capture, inference, live reconstruction, window, command line."""
