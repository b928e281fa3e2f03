"""The Drift protocol through driftpy: codecs, sender, poller, log walker."""
