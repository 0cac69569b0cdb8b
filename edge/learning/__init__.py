"""Learning in place: what a node keeps of the normal sound that it hears, as features, so that a bundle can be made of it."""
