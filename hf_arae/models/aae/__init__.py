"""The adversarial autoencoder for text, plain or denoising."""
