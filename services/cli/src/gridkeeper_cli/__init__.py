"""The command `gridkeeper`, and what `up` keeps running."""
