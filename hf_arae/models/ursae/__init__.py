"""Unsupervised summarization: a discrete autoencoder whose hidden sequence a frozen language model writes."""
