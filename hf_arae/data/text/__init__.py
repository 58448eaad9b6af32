"""What is known of texts before a model sees them."""
