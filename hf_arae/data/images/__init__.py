"""Images in: loading with one fixed form, packed bytes in memory, batches."""
