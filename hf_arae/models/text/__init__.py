"""What text families share, whatever their networks are."""
