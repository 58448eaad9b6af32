"""The variational autoencoder for text."""
