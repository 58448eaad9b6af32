"""Files that are whole or refused: what stands in a folder of weights, and how it is written and read."""
