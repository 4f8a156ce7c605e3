"""What takes long ends when make does, also when make is killed: it ends its own children at most, not theirs."""

import os
import threading
import time

MOMENT = 0.5  # seconds between two looks


def end_with_make():
    """Let this process end when make, whose number is in $MAKE_PID, has gone."""
    if number := os.environ.get("MAKE_PID"):
        threading.Thread(target=_watch, args=(int(number),), daemon=True).start()


def _watch(number):
    while True:
        try:
            os.kill(number, 0)  # the signal that does nothing
        except OSError:
            os._exit(1)
        time.sleep(MOMENT)
