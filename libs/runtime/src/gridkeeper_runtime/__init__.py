"""The life of a process: settings, health, metrics, logs, embedded servers, supervisor."""
