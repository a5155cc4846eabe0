"""The window: capture, live views and the 3D scene."""
