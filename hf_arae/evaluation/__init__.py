"""Evaluators: run a model over held-out data and put its numbers and samples together."""
