"""Normal recordings become a bundle: data checks, detector, threshold; and the metrics that judge one."""
