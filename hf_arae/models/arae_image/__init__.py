"""The adversarially regularized autoencoder of images (thesis, chapter 4), for black and white digits."""
