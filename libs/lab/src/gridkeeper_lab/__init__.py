"""The whole core in one process, in memory."""
