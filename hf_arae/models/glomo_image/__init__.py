"""GLoMo over images: graphs of what each pixel or patch draws from which other, learned without labels."""
