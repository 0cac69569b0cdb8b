"""Sound as samples: read, mixed to mono, resampled, measured, held in a ring."""
