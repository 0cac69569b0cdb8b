"""Slow change told apart from a fault: hourly summaries of normal sound, their trend by band and head, and when it reaches 1.0."""
