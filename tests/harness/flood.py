"""Many connections from many addresses at once, in a process of its own: guesses, or silence.

    with flood.Flood(sources, sends=lambda number: f"a LOGIN bob wrong{number}") as storm:
        storm.wait_answered(100)
        ...what has to go on working...

Each connection sends again as soon as it is answered, and connects again as soon as it is cut off. The flood goes on
until the block ends, however long that takes on a busy machine; its end is bounded.
"""

import contextlib
import multiprocessing
import resource
import selectors
import socket
import time

from .server import wait_for

LONGEST = 300  # seconds


def sources_of_networks(count):
    """So many addresses, each in a network (/24) of its own."""
    return [f"127.{100 + n % 50}.{1 + n // 50}.9" for n in range(count)]


def sources_of_one_network(count):
    return [f"127.99.99.{1 + n % 250}" for n in range(count)]


class Flood:
    def __init__(self, sources, sends=None):
        """`sends`: the command behind the greeting and each answer, made of a number; None: nothing is ever sent."""
        self._sources, self._sends = sources, sends
        self._stop = multiprocessing.Event()
        self._sent, self._answered = multiprocessing.Value("i", 0), multiprocessing.Value("i", 0)
        self._cut_off, self._connected = multiprocessing.Value("i", 0), multiprocessing.Value("i", 0)
        self._seconds = multiprocessing.Value("d", 0.0)
        self._process = multiprocessing.Process(target=self._run)

    sent = property(lambda self: self._sent.value)
    answered = property(lambda self: self._answered.value)
    cut_off = property(lambda self: self._cut_off.value)

    def mean_wait(self):
        """Seconds between a command and its answer."""
        return self._seconds.value / self._answered.value

    def __enter__(self):
        self._process.start()
        # Refused ones count as well: the server is full then.
        wait_for(lambda: self._connected.value >= len(self._sources) or not self._process.is_alive(),
                 lambda: f"the flood has {self._connected.value} connections", LONGEST)
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._process.join(30)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def wait_sent(self, count):
        wait_for(lambda: self.sent >= count, lambda: f"only {self.sent} of {count} commands were sent", LONGEST)

    def wait_answered(self, count):
        wait_for(lambda: self.answered >= count, lambda: f"only {self.answered} of {count} were answered", LONGEST)

    def wait_cut_off(self, count):
        wait_for(lambda: self.cut_off >= count, lambda: f"only {self.cut_off} of {count} were cut off", LONGEST)

    def _connect(self, selector, source):
        connection = socket.socket()
        try:
            connection.bind((source, 0))
            connection.settimeout(20)
            connection.connect(("127.0.0.1", 143))
            connection.setblocking(False)
        except OSError:
            connection.close()
        else:
            selector.register(connection, selectors.EVENT_READ, [source, None])
        self._connected.value += 1

    def _run(self):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        selector = selectors.DefaultSelector()
        for source in self._sources:
            self._connect(selector, source)
        end = time.monotonic() + LONGEST
        while not self._stop.is_set() and time.monotonic() < end:
            for key, _ in selector.select(0.1):
                if self._is_cut_off(key.fileobj, key.data):
                    self._cut_off.value += 1
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
                    self._connect(selector, key.data[0])

    def _is_cut_off(self, connection, data):
        with contextlib.suppress(OSError):
            text = connection.recv(4096)
            if not text or b"* BYE" in text:
                return True
            if data[1] is not None and b"a NO" in text:
                self._answered.value += 1
                self._seconds.value += time.monotonic() - data[1]
            if self._sends:
                self._sent.value += 1
                data[1] = time.monotonic()
                connection.send(self._sends(self._sent.value).encode() + b"\r\n")
            return False
        return True
