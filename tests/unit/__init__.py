"""What can be decided without a network."""
