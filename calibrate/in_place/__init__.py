"""What a node has learned in place (edge/learning) becomes a bundle, with the pieces that fit recordings."""
