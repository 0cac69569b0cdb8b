"""Reports of a calibration and of an evaluation: one HTML file each, with everything in it, to be read, printed and sent on."""
