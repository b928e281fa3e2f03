"""Becomes another program that dies with its parent: run as a script, by path, between fork and the real program.

A small program of its own, because a `preexec_fn` is not safe in a process with threads, and because dropping root
has to happen before the death signal is asked for (the kernel clears it when the user changes).
Arguments: parent pid, signal number, uid (-1: keep), gid, then the program and its arguments.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    parent_pid, signal_number, uid, gid = (int(text) for text in arguments[:4])
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent_pid:  # the parent died before the kernel knew of our wish
        sys.exit(1)
    os.execv(arguments[4], arguments[4:])  # noqa: S606  # no shell is the point


if __name__ == "__main__":
    main(sys.argv[1:])
