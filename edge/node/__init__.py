"""The daemon of one node: its sources, what they publish, and the health of the device."""
