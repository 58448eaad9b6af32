"""The plain autoencoder for text, which the others are compared with; with noise on words, a denoising one."""
