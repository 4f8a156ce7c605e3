"""The notebooks' kernel: ipykernel, changed so that output of forked processes comes through a file, not a port.

python -m report.kernel -f CONNECTION_FILE
"""

import logging
import os
import sys

import zmq
from ipykernel import iostream, kernelapp
from zmq.eventloop.zmqstream import ZMQStream

PIPE = f"ipc://{sys.argv[sys.argv.index('-f') + 1]}.pipe"


class IOPubThread(iostream.IOPubThread):
    """The thread that sends outputs, with another pipe for forked processes."""

    def _setup_pipe_in(self):
        self._pipe_uuid = os.urandom(16)
        pipe = self.socket.context.socket(zmq.PULL)
        pipe.linger = 0
        pipe.bind(PIPE)
        self._pipe_in = ZMQStream(pipe, self.io_loop)
        self._pipe_in.on_recv(self._handle_pipe_msg)

    def _setup_pipe_out(self):
        context = zmq.Context()  # a new one after the fork
        pipe = context.socket(zmq.PUSH)
        pipe.linger = 3_000  # milliseconds
        pipe.connect(PIPE)
        return context, pipe


if __name__ == "__main__":
    kernelapp.IOPubThread = IOPubThread
    logging.getLogger("tornado").setLevel(logging.CRITICAL)  # of messages that come while the kernel ends
    kernelapp.launch_new_instance()
