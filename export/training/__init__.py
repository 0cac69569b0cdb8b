"""What the trainings of detectors with a network of their own share."""
