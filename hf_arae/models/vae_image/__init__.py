"""The variational autoencoder of images."""
