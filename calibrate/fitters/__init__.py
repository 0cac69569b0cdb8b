"""Normal features in, a detector's arrays out: one file per method, each scored by the file of the same name in edge/detectors."""
