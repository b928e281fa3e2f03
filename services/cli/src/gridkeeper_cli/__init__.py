"""The gridkeeper command and the all-in-one supervisor."""
