"""Training CNN14's first four blocks ourselves, so that the weights may ship.

clip -> excerpt -> augmented log-mel -> trunk -> heads of each objective -> one loss; the heads are thrown away, the trunk is exported.

Objectives, one file each: `distillation` (follow an AudioSet teacher, cell by cell), `recognition` (say what was synthesised) and
`views` (two microphones, one sound).
"""
