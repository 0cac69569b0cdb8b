"""The commands that make and judge bundles: calibrate (with record), evaluate, demo."""
