"""End a long process when make ends, even if make is killed. A killed make would end its own children at most."""

import os
import threading
import time

MOMENT = 0.5  # seconds between two checks


def end_with_make():
    """End this process when the make with the process number $MAKE_PID is gone."""
    if number := os.environ.get("MAKE_PID"):
        threading.Thread(target=_watch, args=(int(number),), daemon=True).start()


def _watch(number):
    while True:
        try:
            os.kill(number, 0)  # signal 0 only checks that the process exists
        except OSError:
            os._exit(1)
        time.sleep(MOMENT)
