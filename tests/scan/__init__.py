"""The templates under a security scanner: `make scan`."""
