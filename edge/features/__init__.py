"""Samples in, features out: front end, level and backbone, over every unbroken stretch of sound."""
