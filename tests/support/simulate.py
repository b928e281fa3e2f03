"""`make simulate`: the simulator with the very inbox and journal of the event log that services use."""

from __future__ import annotations

import sys

from gridkeeper_eventlog.inbox import Inbox
from gridkeeper_eventlog.journal import Journal
from gridkeeper_lab.simulator.command import main
from gridkeeper_lab.simulator.process import Rules

RULES = Rules(inbox=Inbox, journal=Journal)

if __name__ == "__main__":
    sys.exit(main(RULES, sys.argv[1:]))
