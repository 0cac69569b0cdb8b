"""The commands that a device needs: run, score, devices, schema."""
