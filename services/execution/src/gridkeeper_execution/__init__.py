"""Places and cancels orders on the venue and records what happened."""
