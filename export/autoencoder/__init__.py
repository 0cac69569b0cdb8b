"""The dense autoencoder of the DCASE 2020 baseline: the network and its training."""
