"""What is fast and small, measured as ratios in one run: `make bench`."""
