"""The channels, and the file that remembers what they delivered."""
