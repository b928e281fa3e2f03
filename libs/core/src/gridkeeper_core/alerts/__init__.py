"""What deserves a message, and when."""
