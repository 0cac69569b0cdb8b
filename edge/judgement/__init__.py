"""From the deviations of a detector to windows with a score, regions and events."""
