"""Figures that anyone can measure again: what a second of audio costs, and how well faults of machines are detected."""
