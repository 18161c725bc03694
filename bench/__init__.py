"""What the product can bear, measured: `make bench`."""
