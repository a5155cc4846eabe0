"""On-device side of Pocket VGGT: capture, inference, live reconstruction, window and command line."""
