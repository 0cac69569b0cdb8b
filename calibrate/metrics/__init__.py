"""The figures that say how well a bundle tells normal from anomalous, as the papers define them."""
