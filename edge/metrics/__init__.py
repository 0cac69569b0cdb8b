"""The node's figures for Prometheus: what `health` and `info` say, served over HTTP. Imported only where `metrics.listen` is set."""
