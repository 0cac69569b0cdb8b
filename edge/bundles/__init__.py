"""The file that holds all one source needs to score: a zip of a manifest, arrays and networks, all of it checked before use."""
