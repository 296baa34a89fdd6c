"""What the attack tests share: a server with a witness session, bounds on its memory and CPU, the auth socket's client.

    with attack.bounds(growth=16, cpu=3):
        ...the bad input...

proves afterwards that the shared processes are the ones that were there before, that nothing died, that a session of
somebody else still answers, and that memory (MiB) and CPU seconds stayed within the bounds.
"""

import base64
import contextlib
import os
import re
import statistics
import time

from . import simple
from .authclient import LineSocket, greet
from .mail import Connection
from .server import build_directory, wait_for
from .simple import PASSWORD, USER

WITNESS = "witness@example.test"
SHARED = ("dovecot", "auth", "imap-login", "lmtp", "imap")
AUTH_SOCKET = "/run/dovecot/auth-client"
# A sanitizer's shadow memory and quarantine are not the server's.
IS_SANITIZED = os.path.basename(build_directory().rstrip("/")) != "release"
state = {"network": 0}


def start(more="", users=(USER,)):
    state["server"] = simple.start("auth_failure_delay = 0\n" + more, users=(*users, WITNESS))
    state["witness"] = login(WITNESS)
    return state["server"]


def reconfigure(text):
    """The same server with another configuration."""
    if state["witness"]:
        state["witness"].close()
    state["server"].restart(text)
    wait_for(lambda: os.path.exists(simple.LMTP_SOCKET) and os.path.exists(AUTH_SOCKET), "the server is up")
    state["witness"] = None


def stop():
    state["server"].stop()


def source():
    """An address in a network of its own: failures there delay nobody else."""
    state["network"] += 1
    return f"127.{10 + state['network'] // 200}.{1 + state['network'] % 200}.7"


def connect(**options):
    client = Connection(options.pop("port", 143), source=options.pop("source", None) or source(), **options)
    greeting = client.line()
    assert greeting and greeting.startswith("* OK"), greeting
    return client


def login(user=USER, password=PASSWORD, selected=None):
    client = Connection(143)
    client.line()
    answer = client.command(f"a LOGIN {user} {password}")
    assert answer and answer[-1].startswith("a OK"), answer
    if selected:
        assert client.command(f"s SELECT {selected}")[-1].startswith("s OK")
    return client


def send_and_drain(client, data, timeout=30):
    """Sends all it can, then reads to the end of the connection or to a silence; gives what came."""
    client.socket.settimeout(timeout)
    try:
        client.socket.sendall(data)
    except OSError:
        pass
    received = client.buffer
    try:
        while block := client.socket.recv(65536):
            received += block
    except OSError:
        pass
    client.close()
    return received


def take_the_same_time(what, actions, bound, turns=21):
    """Two actions, one after the other in turn so that a busy machine hits both. Their times, without the outliers that
    it makes, may differ by 5 % or `bound` (ms); a round that a busy machine spoilt is repeated."""
    differences = []
    for _ in range(15):
        times = [[] for _ in actions]
        for number in range(turns):
            for action, values in zip(actions, times):
                start = time.perf_counter()
                action(number)
                values.append((time.perf_counter() - start) * 1000)
        one, other = (statistics.quantiles(values, n=4)[0] for values in times)
        differences.append(round(one - other, 2))
        if abs(one - other) < max(bound, one / 20):
            return
    raise AssertionError(f"{what}: differences in ms: {differences}")


def processes():
    """pid -> name of the server's processes; `imap worker` is one that serves a single uid."""
    found = {}
    for name in SHARED:
        for pid in state["server"].child_pids(name):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    found[pid] = name + (" worker" if b"--worker" in file.read() else "")
            except OSError:
                pass
    return found


def _number(path, pattern):
    try:
        with open(path) as file:
            return int(re.search(pattern, file.read(), re.M).group(1))
    except (OSError, AttributeError):
        return 0


def memory():
    """MiB of all processes of the server; what they share counts once."""
    return sum(_number(f"/proc/{pid}/smaps_rollup", r"^Pss:\s+(\d+)") for pid in processes()) / 1024


def peak(name):
    """The largest resident size in MiB that a process of that name ever had."""
    return max((_number(f"/proc/{pid}/status", r"^VmHWM:\s+(\d+)") / 1024 for pid, called in processes().items()
                if called.split()[0] == name), default=0)


def cpu():
    total = 0
    for pid in processes():
        try:
            with open(f"/proc/{pid}/stat") as file:
                words = file.read().rsplit(")", 1)[1].split()
            total += int(words[11]) + int(words[12])
        except OSError:
            pass
    return total / os.sysconf("SC_CLK_TCK")


def status(pid):
    with open(f"/proc/{pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def nobody_died(before):
    """Workers end when they have nothing to do; what serves everybody must still be there."""
    log = state["server"].log()
    for word in ("Panic", "killed with signal", "AddressSanitizer", "runtime error:", "out of memory"):
        assert word not in log, f"the log has {word}:\n" + log[-3000:]
    gone = {pid: name for pid, name in before.items() if "worker" not in name and pid not in processes()}
    assert not gone, f"processes have ended: {gone}\n" + log[-2000:]


@contextlib.contextmanager
def bounds(growth=None, cpu_seconds=10):
    before, memory_before, cpu_before = processes(), memory(), cpu()
    yield
    nobody_died(before)
    if state["witness"]:
        assert state["witness"].command("w NOOP")[-1].startswith("w OK"), "another session is disturbed"
    if IS_SANITIZED:
        return
    grown, used = memory() - memory_before, cpu() - cpu_before
    assert growth is None or grown < growth, f"memory grew by {grown:.1f} MiB"
    assert used < cpu_seconds, f"{used:.1f} s of CPU"


class AuthClient(LineSocket):
    """A client of authd's line protocol whose answers are bare lines."""

    def __init__(self, path=AUTH_SOCKET):
        super().__init__(path)
        self.next_id = 0
        greet(self)

    def send(self, text):
        if not super().send(text):
            raise BrokenPipeError("authd has closed the connection")

    def begin(self, mechanism="PLAIN", response=None, more="no-penalty"):
        self.next_id += 1
        text = f"AUTH\t{self.next_id}\t{mechanism}\tservice=imap\tsecured\t{more}"
        self.send(text + (f"\tresp={response}" if response is not None else "") + "\n")
        return self.next_id

    def plain(self, user, password, more="no-penalty"):
        """The answer to one PLAIN login: `OK ...` or `FAIL ...`."""
        data = b"\0" + user.encode() + b"\0" + password.encode()
        self.begin("PLAIN", base64.b64encode(data).decode(), more)
        return self.line()


def authd_answers():
    client = AuthClient()
    answer = client.plain(WITNESS, PASSWORD)
    client.close()
    assert answer and answer.startswith("OK\t"), answer


def wait_a_moment(seconds=0.2):
    time.sleep(seconds)
