"""Recurrent language model: the judge behind perplexity and reverse perplexity, and a writer of text."""
