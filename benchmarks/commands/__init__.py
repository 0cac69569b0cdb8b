"""The commands of the benchmarks room."""
