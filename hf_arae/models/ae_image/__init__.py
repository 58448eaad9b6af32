"""The plain autoencoder of images, which the others are compared with."""
