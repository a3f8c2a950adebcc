"""gunicorn's worker with threads, which shares clients with other workers, stays with one that goes on asking, tells
how long a request has waited, sends an answer in one piece, and at its end answers what has come."""

from __future__ import annotations

import ctypes
import select
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from selectors import EVENT_READ, SelectorKey
from typing import Any, ClassVar

from gunicorn.arbiter import Arbiter
from gunicorn.http import wsgi
from gunicorn.workers import SUPPORTED_WORKERS, gthread

# Seconds at the end for what clients have sent, or are about to send, over connections that they hold: nginx.conf keeps
# one for a second.
LAST = 1.5
# Seconds for which a new connection is left to other workers, for each that this one has, up to so many.
COURTESY, MANY = 0.0001, 8
# Milliseconds in which a client that goes on asking asks again.
SOON = 2
# Bytes of a request's first line. functions-framework sets no limit, and gunicorn takes time by the square of it.
LONGEST_LINE = 8190

SO_ATTACH_FILTER, BPF_RETURN = 26, 6  # asm-generic/socket.h, linux/bpf_common.h

_present = threading.local()  # what there is to know of the request that this thread handles


class Worker(gthread.ThreadWorker):  # type: ignore[misc]
    listens: ClassVar[Callable[[list[str]], None]]
    _drained = False

    def run(self) -> None:
        if self.age == 1:  # the first of its kind
            type(self).listens([str(listener.getsockname()[0]) for listener in self.sockets])
        self.cfg.set("limit_request_line", LONGEST_LINE)
        if signal.SIGTERM in Arbiter.SIG_QUEUE:  # it came after the fork, before this process listened to signals
            self.alive = False
        super().run()

    def accept(self, server: Any, listener: socket.socket) -> None:
        """Connections that come together would all go to the worker that wakes first, and stay with it."""
        if self.alive and self.cfg.workers > 1:
            time.sleep(COURTESY * min(self.nr_conns, MANY))
        super().accept(server, listener)

    def enqueue_req(self, conn: Any) -> None:
        conn.came = time.monotonic()
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Answer a request, and those that follow at once: by gunicorn's loop, each would change threads twice."""
        while True:
            _present.waited = time.monotonic() - conn.came
            is_kept, conn = super().handle(conn)
            if not (is_kept and self._asks_again(conn)):
                return is_kept, conn
            conn.came = time.monotonic()

    def _asks_again(self, conn: Any) -> bool:
        """Soon, and while nobody else waits for a thread."""
        if not self.alive or len(self.futures) > self.cfg.threads:
            return False
        poll = select.poll()
        poll.register(conn.sock, select.POLLIN)
        return bool(poll.poll(SOON))

    def finish_request(self, fs: Future[tuple[bool, Any]]) -> None:
        """gunicorn, once told to end, would close what it has just promised to keep."""
        if self.alive or self._drained or fs.cancelled() or fs.exception() or not fs.result()[0]:
            super().finish_request(fs)
            return
        _, conn = fs.result()
        conn.sock.setblocking(False)
        conn.set_timeout()
        with self._lock:
            self._keep.append(conn)
            self.poller.register(conn.sock, EVENT_READ, partial(self.on_client_socket_readable, conn))

    def murder_keepalived(self) -> None:
        """What each turn of gunicorn's loop ends with; after it, the loop ends if the worker has been told to."""
        super().murder_keepalived()
        if not self.alive:
            self._drain()

    def _drain(self) -> None:
        """gunicorn would close all connections but those whose requests have a thread, or wait for one. Here whoever is
        connected is answered, with `Connection: close`."""
        for listener in self.sockets:
            let_nobody_in(listener)
        while any(key.fileobj in self.sockets for key in self._serve(0)):
            pass
        for listener in self.sockets:
            self.poller.unregister(listener)
            listener.close()
        until = time.monotonic() + LAST
        while self.nr_conns > 0 and time.monotonic() < until:
            self._serve(0.05)
            super().murder_keepalived()
        self._drained = True

    def _serve(self, timeout: float) -> list[SelectorKey]:
        events = [key for key, _ in self.poller.select(timeout)]
        for key in events:
            key.data(key.fileobj)
        return events


class Answer(wsgi.Response):  # type: ignore[misc]
    """gunicorn sends an answer's headers by themselves. Of a process that is killed after them, nginx would have half
    an answer, and could ask nobody else any more."""

    sock: Any

    def write(self, arg: bytes) -> None:
        if self.headers_sent:
            super().write(arg)
            return
        connection, self.sock = self.sock, Gathered()
        try:
            super().write(arg)
            connection.sendall(self.sock)
        finally:
            self.sock = connection


class Gathered(bytearray):
    """In place of a socket, for what is to be sent at once."""

    sendall = bytearray.extend


def let_nobody_in(listener: socket.socket) -> None:
    """Whoever comes between the last `accept` and `close`, the kernel would let in and then cut off. On Linux a filter
    drops what they begin with (socket(7), SO_ATTACH_FILTER): they begin again in a second, and are refused."""
    if sys.platform == "linux":
        nothing = ctypes.create_string_buffer(struct.pack("HBBI", BPF_RETURN, 0, 0, 0))
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(nothing)))


def install(listens: Callable[[list[str]], None]) -> None:
    """To be called before functions-framework starts gunicorn, which it lets nobody choose the worker of. `listens` is
    told the addresses."""
    Worker.listens = listens
    gthread.ThreadWorker = Worker
    wsgi.Response = Answer
    SUPPORTED_WORKERS["sync"] = SUPPORTED_WORKERS["gthread"]  # gunicorn would take another for one thread alone


def waited() -> float:
    """Seconds that the present request waited for a thread; 0 under another server."""
    return getattr(_present, "waited", 0.0)
