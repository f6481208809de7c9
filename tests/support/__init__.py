"""What several tests use: networks, comparisons, files, and marks for what a machine may lack."""
