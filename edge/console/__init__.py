"""The command line: parsing and exit codes, results on stdout, progress on a terminal."""
