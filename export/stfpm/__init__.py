"""Training of an STFPM student (Wang et al., "Student-Teacher Feature Pyramid Matching for Anomaly Detection", BMVC 2021)."""
