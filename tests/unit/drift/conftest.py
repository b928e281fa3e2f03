"""Imports driftpy once, without the warnings of its dependencies, which the tests would take for errors."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import driftpy.drift_client

assert driftpy.drift_client.DriftClient is not None
