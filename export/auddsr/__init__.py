"""AudDSR (Zavrtanik et al.): a discrete autoencoder, simulated faults among its codes, and the networks that learn to find them."""
