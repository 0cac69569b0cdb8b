"""`auscult demo`: a synthesised machine with faults, from calibration to the alerts that a subscriber gets."""
