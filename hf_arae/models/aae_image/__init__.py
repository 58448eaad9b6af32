"""The adversarial autoencoder of images."""
