"""The pure parts of the local target."""
