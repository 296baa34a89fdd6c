"""The server under test: Culver from its build tree's installation, or Debian's Dovecot as the reference.

CULVER_SERVER=dovecot runs the same test against the reference. Culver is installed over /usr of the private machine
(tests/harness/private.py), so that every path of the tutorials leads to it.
"""

import os
import re
import signal
import socket
import subprocess
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IS_CULVER = os.environ.get("CULVER_SERVER", "culver") == "culver"


def build_directory():
    return os.environ.get("CULVER_BUILD", os.path.join(REPOSITORY, "build", "release"))


def wait_for(condition, what, timeout=60.0):
    """Waits until condition() is true; the failure says what did not happen: a text, or a function that gives it.
    The time-out is for machines that do something else; whoever waits for what must not happen gives his own."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError(f"after {timeout} s: {what() if callable(what) else what}")


def is_alive(pid):
    """False for a zombie too: in a private machine nobody reaps a daemon. Its sockets are closed then, which a zombie
    with threads that still have to end does not say of itself."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z" or len(os.listdir(f"/proc/{pid}/task")) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False


def pids_called(name):
    """Living processes of that name in the private machine."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm") as file:
                if file.read().strip() == name and is_alive(int(pid)):
                    found.append(int(pid))
        except OSError:
            pass
    return found


def port_is_open(port, address="127.0.0.1"):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


_installed = False


def install(prefix="/usr"):
    """Puts Culver into a prefix of the private machine."""
    global _installed
    assert os.environ.get("CULVER_PRIVATE") == "ready", "only a private machine may be installed into"
    if prefix == "/usr" and (_installed or not IS_CULVER):
        return
    subprocess.run(["cmake", "--install", build_directory(), "--prefix", prefix], check=True,
                   stdout=subprocess.DEVNULL)
    _installed = prefix == "/usr"


class Server:
    """`dovecot` with a configuration text; logs go to a file unless the text says otherwise."""

    LOG = "/var/log/dovecot.log"

    def __init__(self, config=None, path="/etc/dovecot/dovecot.conf", log=True, program=None):
        """`program`: another `dovecot` than the server under test; then nothing is installed."""
        self.program = program
        self.path = path
        self.process = None
        self.log_option = log
        if config is not None:
            self.write_config(config)

    def write_config(self, text):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        if self.log_option and "log_path" not in text:
            text += f"\nlog_path = {self.LOG}\n"
        with open(self.path, "w") as file:
            file.write(text)

    def start(self, check=True):
        if self.program is None:
            install()
        # Into a file: the daemon may keep what it inherits, and a pipe would then never end.
        with open("/run/start-output", "w+") as output:
            result = subprocess.run([self.program or "/usr/sbin/dovecot", "-c", self.path], stdout=output,
                                    stderr=output, timeout=120)
            output.seek(0)
            result.stdout = output.read()
        if check and result.returncode != 0:
            raise AssertionError(f"dovecot exits with {result.returncode}: {result.stdout}")
        return result

    def stop(self):
        pid = self.pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not is_alive(pid), "the master ends after SIGTERM")

    def restart(self, config=None):
        self.stop()
        if config is not None:
            self.write_config(config)
        return self.start()

    def reload(self):
        os.kill(self.pid(), signal.SIGHUP)

    def pid(self):
        try:
            with open("/run/dovecot/master.pid") as file:
                pid = int(file.read())
            return pid if is_alive(pid) else None
        except (FileNotFoundError, ValueError):
            return None

    def log(self):
        try:
            with open(self.LOG, errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, pattern, timeout=60.0):
        """Waits until a line of the log matches the regular expression; gives the match."""
        return wait_for(lambda: re.search(pattern, self.log(), re.M),
                        lambda: f"no log line matches {pattern!r}; the log:\n{self.log()[-3000:]}", timeout)

    def child_pids(self, name):
        """Pids of the server's processes whose program is called `name` (imap, auth, lmtp, imap-login)."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/cmdline", "rb") as file:
                        words = file.read().split(b"\0")
                except OSError:
                    continue
                if words and words[0].decode(errors="replace").split("/")[-1] == name:
                    found.append(int(entry))
        return found
