"""Reading the datasets that the benchmarks measure with."""
