"""Writes the reference tables of the documentation from the code; nothing in the program imports it."""
