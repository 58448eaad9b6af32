"""Model families: a folder each, with a config, a model and an objective."""
