"""Metrics of how well a bundle separates normal from anomalous sound, as the papers define them."""
