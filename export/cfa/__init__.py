"""Training of a CFA's descriptor (Lee et al., "CFA: Coupled-Hypersphere-Based Feature Adaptation", IEEE Access 2022)."""
