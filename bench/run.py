#!/usr/bin/env python3
"""Runs Culver and Debian's Dovecot in turn on this machine and prints what each operation costs.

    bench/run.py                       every measurement, 3 rounds (A B A B A B)
    bench/run.py login store           only these
    bench/run.py auth                  all whose names begin with auth_
    bench/run.py --rounds 5 --out docs/performance-table.md

Needs root (a private machine), Debian's dovecot-imapd and dovecot-lmtpd, and build/release with culver-load. Dovecot
runs tuned as its documentation advises: login processes reused, the auth cache on, processes kept. Mail lies on the
real disk. CPU is that of all processes of a server together (its cgroup), per operation; the rate is the wall
clock's. Each figure is a median over the rounds; the ratio is the median of the rounds' ratios. docs/performance.md
says how to read them.
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests"))
from harness import private

private.enter()

import auth
from harness.mail import Connection, lmtp_deliver, make_certificate, make_message
from harness.server import Server, build_directory, install, is_alive, port_is_open, wait_for

LOAD = os.path.join(build_directory(), "bench", "culver-load")
DISK = "/tmp/culver-bench"  # not one of the private machine's memory file systems
USER, PASSWORD = "bench@example.test", "secret"
CONFIG = f"""
protocols = imap lmtp
ssl = yes
ssl_cert = </etc/dovecot/dovecot.pem
ssl_key = </etc/dovecot/private/dovecot.pem
disable_plaintext_auth = no
@PASSDB@
mail_uid = vmail
mail_gid = vmail
mail_location = maildir:~/Maildir
mail_max_userip_connections = 100000
log_path = /var/log/bench.log
"""
PASSDB = "passdb {\n  driver = passwd-file\n  args = scheme=PLAIN /etc/dovecot/users\n}\n"
SETUPS = {"mail": PASSDB, **auth.SETUPS}  # by name: what stands for @PASSDB@
TUNED = """
service imap-login {
  service_count = 0
  process_min_avail = 2
  client_limit = 2000
  vsz_limit = 1 G
}
service imap {
  process_limit = 5000
  process_min_avail = 8
}
service lmtp {
  process_min_avail = 8
}
"""


class Peer:
    """One of the two servers: its program, its configuration, its own mail, its cgroup."""

    def __init__(self, name, setup="mail"):
        self.name = name
        self.home = f"{DISK}/{name}"
        self.group = None
        self.cpu_at_start = 0
        program = "/opt/culver/sbin/dovecot" if name == "culver" else "/usr/sbin/dovecot"
        tuned = TUNED if name == "dovecot" else ""
        if name == "dovecot" and setup == "mail":
            tuned += "auth_cache_size = 10 M\n"
        self.server = Server(CONFIG.replace("@PASSDB@", SETUPS[setup]) + f"mail_home = {self.home}/%n\n" + tuned,
                             path=f"/etc/dovecot/{name}.conf", program=program)

    def __enter__(self):
        self.group = make_cgroup(self.name)
        parent = os.getpid()
        enter_cgroup(self.group, parent)
        self.cpu_at_start = self.cpu_seconds()
        try:
            self.server.start()
        finally:
            enter_cgroup(None, parent)
        wait_for(lambda: port_is_open(143) and port_is_open(993) and os.path.exists("/run/dovecot/lmtp"), "ports")
        time.sleep(0.5)
        return self

    def __exit__(self, *_):
        self.server.stop()
        time.sleep(0.3)

    def cpu_seconds(self):
        with open(f"{self.group}/cpuacct.usage") as file:
            return int(file.read()) / 1e9

    def memory_kilobytes(self):
        """Proportional set size and page tables of all processes."""
        total = 0
        with open(f"{self.group}/cgroup.procs") as file:
            pids = file.read().split()
        for pid in pids:
            try:
                with open(f"/proc/{pid}/smaps_rollup") as file:
                    total += int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M).group(1))
                with open(f"/proc/{pid}/status") as file:
                    total += int(re.search(r"^VmPTE:\s+(\d+)", file.read(), re.M).group(1))
            except (OSError, AttributeError):
                pass
        return total

    @contextlib.contextmanager
    def on_one_core(self):
        """The server and the load generator share a core: nobody is woken on another one, which is dear in a virtual
        machine (an interrupt that the host has to deliver) and would be most of what is counted."""
        before = os.sched_getaffinity(0)
        one = {min(before)}
        try:
            for task in [0, *self._tasks()]:
                os.sched_setaffinity(task, one)
            yield
        finally:
            for task in [0, *self._tasks()]:
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(task, before)

    def _tasks(self):
        with open(f"{self.group}/tasks") as file:
            return list(map(int, file.read().split()))

    def load(self, *words, program=LOAD):
        """Runs a load generator; gives (CPU seconds per operation, operations per second)."""
        before = self.cpu_seconds()
        result = subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=600)
        if result.returncode != 0:
            raise AssertionError(f"{self.name}: {' '.join(map(str, words))}: {result.stderr}")
        seconds, count = result.stdout.split()[-2:]
        return (self.cpu_seconds() - before) / int(count), int(count) / float(seconds)


CPUACCT = "/sys/fs/cgroup/cpuacct"


def make_cgroup(name):
    path = f"{CPUACCT}/culver-bench-{name}"
    os.makedirs(path, exist_ok=True)
    return path


def enter_cgroup(group, pid):
    with open(f"{group or CPUACCT}/cgroup.procs", "w") as file:
        file.write(str(pid))


def fill(peer, user, count):
    """A mailbox of so many small messages of different days, as another program would have left it: no index."""
    directory = f"{peer.home}/{user.split('@')[0]}/Maildir"
    if os.path.isdir(directory):
        return
    for name in ("cur", "new", "tmp"):
        os.makedirs(f"{directory}/{name}")
    for number in range(count):
        text = make_message(f"subject {number}", body=f"line {number}\n" * (1 + number % 20)).replace("\r\n", "\n")
        sizes = f"S={len(text)},W={len(text) + text.count(chr(10))}"
        path = f"{directory}/cur/{1600000000 + number}.M{number}P1.host,{sizes}:2,S"
        with open(path, "w") as file:
            file.write(text)
        os.utime(path, (1600000000 + number * 1000,) * 2)
    subprocess.run(["chown", "-R", "vmail:vmail", os.path.dirname(directory)], check=True)


MEASUREMENTS = {}


def measurement(title, unit="ms CPU", setup="mail"):
    def add(function):
        MEASUREMENTS[function.__name__] = (title, unit, function, setup)
        return function
    return add


auth.register(measurement)


@measurement("connect, LOGIN, LOGOUT, plain, 16 connections")
def login(peer):
    peer.load("login", 143, 200, 16, USER, PASSWORD)
    cpu, rate = peer.load("login", 143, 2000, 16, USER, PASSWORD)
    return cpu * 1000, rate


@measurement("the same over TLS (RSA-2048)")
def login_tls(peer):
    peer.load("login", 993, 50, 16, USER, PASSWORD, "tls")
    cpu, rate = peer.load("login", 993, 500, 16, USER, PASSWORD, "tls")
    return cpu * 1000, rate


@measurement("LMTP delivery of 4 kB, small mailboxes, 8 connections")
def deliver(peer):
    cpu, rate = peer.load("lmtp", "/run/dovecot/lmtp", 2000, 8, "small%d@example.test", 4096)
    return cpu * 1000, rate


def one_at_a_time(peer, user, messages):
    """Deliveries over one connection into a mailbox of so many messages, which is open already."""
    fill(peer, user, messages)
    peer.load("lmtp", "/run/dovecot/lmtp", 3, 1, user, 4096)
    cpu, rate = peer.load("lmtp", "/run/dovecot/lmtp", 200, 1, user, 4096)
    return cpu * 1000, rate


@measurement("LMTP delivery of 4 kB, small mailbox, 1 connection")
def deliver_one(peer):
    return one_at_a_time(peer, "box100@example.test", 100)


@measurement("LMTP delivery of 4 kB into a mailbox of 50,000, 1 connection")
def deliver_large(peer):
    return one_at_a_time(peer, "box50k@example.test", 50000)


def large(peer):
    fill(peer, "box100k@example.test", 100000)
    return "box100k@example.test", PASSWORD


def one_command(peer, command, count, user=None, warm=1):
    user = user or large(peer)[0]
    peer.load("imap", 143, warm, user, PASSWORD, "INBOX", command)
    cpu, rate = peer.load("imap", 143, count, user, PASSWORD, "INBOX", command)
    login_cpu, _ = peer.load("imap", 143, 1, user, PASSWORD, "INBOX", "NOOP")
    return max(cpu - login_cpu / count, 1e-7) * 1000, rate


@measurement("STORE of one flag, mailbox of 100,000")
def store(peer):
    return one_command(peer, "STORE %d +FLAGS (\\Flagged)", 500)


@measurement("STORE of one flag, mailbox of 300")
def store_small(peer):
    fill(peer, "box300@example.test", 300)
    return one_command(peer, "STORE %d +FLAGS (\\Flagged)", 300, "box300@example.test")


@measurement("APPEND of 4 kB, mailbox of 100,000")
def append(peer):
    return one_command(peer, "APPEND INBOX %b", 200)


@measurement("APPEND of 4 kB, small mailbox")
def append_small(peer):
    fill(peer, "box100@example.test", 100)
    return one_command(peer, "APPEND INBOX %b", 500, "box100@example.test")


@measurement("FETCH 1:* (FLAGS), 100,000 messages")
def fetch_flags(peer):
    return one_command(peer, "FETCH 1:* (FLAGS)", 5)


@measurement("FETCH 1:* (ENVELOPE), 100,000 messages, warm")
def fetch_envelope(peer):
    return one_command(peer, "FETCH 1:* (ENVELOPE)", 2)


@measurement("SELECT of 100,000, warm")
def select(peer):
    return one_command(peer, "SELECT INBOX", 20)


@measurement("memory per idle session, plain, 200 sessions", "kB")
def idle_memory(peer):
    return idle(peer, 143)


@measurement("memory per idle session over TLS, 200 sessions", "kB")
def idle_memory_tls(peer):
    return idle(peer, 993, "tls")


def idle(peer, port, *tls):
    before = peer.memory_kilobytes()
    command = [LOAD, "idle", str(port), "200", USER, PASSWORD, "4", *tls]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    time.sleep(1)
    after = peer.memory_kilobytes()
    process.wait()
    return (after - before) / 200, 0


@measurement("from delivery to the IDLE client, median of 15", "ms")
def idle_latency(peer):
    client = Connection(143)
    client.line()
    client.command(f"a LOGIN {USER} {PASSWORD}")
    client.command("b SELECT INBOX")
    client.send("c IDLE")
    client.line()
    times = []
    for number in range(15):
        lmtp_deliver("/run/dovecot/lmtp", [USER], make_message(f"latency {number}"))
        start = time.monotonic()
        while "EXISTS" not in client.line():
            pass
        times.append((time.monotonic() - start) * 1000)
        time.sleep(0.05)
    client.close()
    return statistics.median(times), 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out")
    parser.add_argument("--only-culver", action="store_true", help="no comparison, e.g. while profiling")
    parser.add_argument("names", nargs="*", help=", ".join(MEASUREMENTS))
    options = parser.parse_args()
    names = [name for name in MEASUREMENTS
             if not options.names or name in options.names or "auth" in options.names and name.startswith("auth_")]
    setups = [setup for setup in SETUPS if any(MEASUREMENTS[name][3] == setup for name in names)]
    shutil.rmtree(DISK, ignore_errors=True)
    os.makedirs(DISK)
    os.chmod(DISK, 0o755)
    private.add_user("vmail", uid=5000, home="/var/vmail")
    shutil.chown(DISK, "vmail", "vmail")
    make_certificate("/etc/dovecot/dovecot.pem", "/etc/dovecot/private/dovecot.pem")
    users = ["bench", "box100", "box300", "box50k", "box100k"] + [f"small{n}" for n in range(8)]
    private.install_file("/etc/dovecot/users", "".join(f"{name}@example.test:{PASSWORD}\n" for name in users))
    install("/opt/culver")
    for setup in setups:
        auth.prepare(setup)
    peers = ["culver"] + ([] if options.only_culver else ["dovecot"])
    results = {name: {peer: [] for peer in peers} for name in names}
    try:
        for _ in range(options.rounds):
            for setup in setups:
                for peer in peers:
                    measure(Peer(peer, setup), [name for name in names if MEASUREMENTS[name][3] == setup], results)
        print(file=sys.stderr)
        report(names, results, options.out)
    finally:
        shutil.rmtree(DISK, ignore_errors=True)


def measure(peer, names, results):
    os.makedirs(peer.home, exist_ok=True)
    shutil.chown(peer.home, "vmail", "vmail")
    with peer:
        for name in names:
            try:
                results[name][peer.name].append(MEASUREMENTS[name][2](peer))
            except (AssertionError, OSError, TimeoutError) as problem:
                print(f"{peer.name} {name}: {problem}", file=sys.stderr, flush=True)
            print(".", end="", file=sys.stderr, flush=True)


def report(names, results, out):
    lines = ["| operation | unit | Culver | Dovecot | Dovecot / Culver | Culver per s | Dovecot per s |",
             "|---|---|---|---|---|---|---|"]
    for name in names:
        title, unit = MEASUREMENTS[name][:2]
        culver, dovecot = results[name].get("culver", []), results[name].get("dovecot", [])
        middle = lambda rows, column: statistics.median(row[column] for row in rows) if rows else float("nan")
        ratio = float("nan")
        if culver and dovecot:
            ratio = statistics.median(d[0] / c[0] for c, d in zip(culver, dovecot) if c[0])
        rates = [f"{middle(rows, 1):,.0f}" if rows and rows[0][1] else "" for rows in (culver, dovecot)]
        lines.append(f"| {title} | {unit} | {middle(culver, 0):.3f} | {middle(dovecot, 0):.3f} | {ratio:.1f} "
                     f"| {rates[0]} | {rates[1]} |")
    text = "\n".join(lines) + "\n"
    print(text)
    if out:
        with open(out, "w") as file:
            file.write(text)


main()
