"""What a detector's word amounts to: a timeline, windows with a score, regions, events."""
