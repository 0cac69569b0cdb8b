"""The file that holds all one source needs to score: a zip of a manifest, arrays and networks, trusted in nothing."""
