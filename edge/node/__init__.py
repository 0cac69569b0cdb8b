"""The daemon of one node: sources at work, what they publish, and how the device fares."""
