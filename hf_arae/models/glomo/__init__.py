"""GLoMo: graphs of what each word draws from which other, learned from text without labels, to be used elsewhere."""
