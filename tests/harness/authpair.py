"""Debian's Dovecot and Culver side by side with one configuration, so that the same request can be put to both.

    import authpair                     in a private machine (harness/private.py)
    pair = authpair.Pair('''passdb {
      driver = passwd-file
      args = scheme=PLAIN /etc/pair/users
    }
    ''')
    pair.login(sasl.Plain("bob", "secret"))     the same login to both; fails unless the answers are equal, gives one
    pair.user("bob"), pair.passdb("bob"), pair.list()
    with pair.together(): ...                   collects differences and reports them all at the end
    pair.login(..., accept="name")              a difference that ACCEPTED[name] explains; it must be there
    assert not pair.unused()                    at the end: no explanation without a difference

Both have their own base_dir; `@BASE@` and `@NAME@` ("dovecot", "culver") in the text are replaced. Databases lie in
files that both read (/etc/pair, readable to all). Waiting is off by default: auth_failure_delay = 0, and clients send
no-penalty. What must differ is taken out before comparing: ids, nonces, times, empty fields, the order of fields.
"""

import concurrent.futures
import contextlib
import dataclasses
import os
import re
import shutil
import signal
import subprocess

from . import private
from .authclient import DEFAULT, AuthClient, MasterClient, Reply
from .server import build_directory, is_alive, wait_for

RUN = "/run/pair"
DEFAULTS = """
base_dir = @BASE@
state_dir = @BASE@
log_path = @LOG@
protocols =
ssl = no
disable_plaintext_auth = no
auth_failure_delay = 0
auth_verbose = yes
default_vsz_limit = 1G
mail_uid = 5000
mail_gid = 5000
service stats {
  client_limit = 200
}
service anvil {
  client_limit = 1000
}
"""


class Peer:
    def __init__(self, name, dovecot, doveadm):
        self.name, self.program, self.doveadm_program = name, dovecot, doveadm
        self.base = f"{RUN}/{name}"
        self.config_path = f"{RUN}/{name}.conf"
        self.log_path = f"{RUN}/{name}.log"
        self._auth = self._master = None
        self.log_mark = 0

    def write_config(self, text):
        for key, value in (("@BASE@", self.base), ("@LOG@", self.log_path), ("@NAME@", self.name)):
            text = text.replace(key, value)
        private.install_file(self.config_path, text)

    def start(self, check=True):
        os.makedirs(self.base, exist_ok=True)
        # Into a file: the daemon may keep what it inherits, and a pipe would then never end.
        with open(f"{RUN}/{self.name}.out", "w+") as output:
            code = subprocess.run([self.program, "-c", self.config_path], stdout=output, stderr=output, timeout=120,
                                  stdin=subprocess.DEVNULL).returncode
            output.seek(0)
            text = output.read()
        if check:
            assert code == 0, f"{self.name} exits with {code}: {text}"
            wait_for(lambda: self.pid() and os.path.exists(self.path("auth-master")),
                     lambda: f"{self.name} is up: {self.log()[-2000:]}")
        return text

    def pid(self):
        try:
            with open(f"{self.base}/master.pid") as file:
                pid = int(file.read())
            return pid if is_alive(pid) else None
        except (OSError, ValueError):
            return None

    def stop(self):
        self.forget_clients()
        pid = self.pid()
        if pid is None:
            return
        # The reference takes a second or more to end itself, which is nothing that is tested here.
        ending = [pid, *children(pid)] if self.is_reference else [pid]
        for process in ending:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL if self.is_reference else signal.SIGTERM)
        wait_for(lambda: not any(is_alive(process) for process in ending), f"{self.name} ends")
        shutil.rmtree(self.base, ignore_errors=True)

    @property
    def is_reference(self):
        return self.program == "/usr/sbin/dovecot"

    def reload(self):
        self.forget_clients()
        os.kill(self.pid(), signal.SIGHUP)

    def forget_clients(self):
        for client in (self._auth, self._master):
            if client:
                client.close()
        self._auth = self._master = None

    def path(self, socket):
        return f"{self.base}/{socket}"

    def auth(self):
        """The client that comparisons use; a new one when the server has closed it."""
        if self._auth is None or self._auth.closed:
            self._auth = self.new_auth()
        return self._auth

    def new_auth(self, socket="auth-client", **options):
        return AuthClient(self.path(socket), **options)

    def master(self):
        if self._master is None or self._master.closed:
            self._master = self.new_master()
        return self._master

    def new_master(self, socket="auth-master", **options):
        return MasterClient(self.path(socket), **options)

    def doveadm(self, *args, input=None):
        return subprocess.run([self.doveadm_program, "-c", self.config_path, *args], input=input, capture_output=True,
                              text=True, timeout=120)

    def log(self):
        try:
            with open(self.log_path, errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def new_log(self):
        """What was logged since the last call."""
        text = self.log()
        new, self.log_mark = text[self.log_mark:], len(text)
        return new

    def wait_log(self, pattern, timeout=60.0, since=0):
        """Waits until a line behind `since` characters of the log matches; gives the match."""
        return wait_for(lambda: re.search(pattern, self.log()[since:], re.M),
                        lambda: f"no line of {self.name}'s log matches {pattern!r}:\n{self.log()[-3000:]}", timeout)

    def auth_pids(self):
        """The pids of its auth process (not of workers). One that is dying is not among them, though its sockets may
        still be open: server.is_alive() tells."""
        found = []
        for pid in children(self.pid()):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
                if file.read().split(b"\0")[0].split(b"/")[-1] == b"auth":
                    found.append(pid)
        return found


def children(parent):
    """The pids of a process's children."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
            if int(file.read().rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(pid))
    return found


def culver_alone(config, name="culver"):
    """Culver's half of a pair by itself, started. With another name it lives beside a pair."""
    build = build_directory()
    os.makedirs(RUN, exist_ok=True)
    peer = Peer(name, f"{build}/sbin/dovecot", f"{build}/bin/doveadm")
    peer.write_config(DEFAULTS + config)
    peer.start()
    return peer


@dataclasses.dataclass
class Accepted:
    """A difference that is meant. With `fits(what, theirs, ours)` it is accepted wherever that is true."""
    reason: str
    fits: object = None


def comparable(value):
    """A Reply without what says nothing: its id, empty fields, the order of fields."""
    if isinstance(value, Reply):
        return (value.kind, tuple(value.steps), tuple(sorted(field for field in value.fields if field)))
    if isinstance(value, (list, tuple)):
        return tuple(comparable(item) for item in value)
    return value


class Pair:
    # name -> Accepted; a test file puts its own in. Each must be met, see unused().
    ACCEPTED = {}

    def __init__(self, config, start=True):
        assert os.environ.get(private.MARK) == "ready", "a pair runs in a private machine only"
        build = build_directory()
        self.dovecot = Peer("dovecot", "/usr/sbin/dovecot", "/usr/bin/doveadm")
        self.culver = Peer("culver", f"{build}/sbin/dovecot", f"{build}/bin/doveadm")
        self.peers = (self.dovecot, self.culver)
        self.used, self.collected, self.count = {}, None, 0
        os.makedirs(RUN, exist_ok=True)
        os.makedirs("/etc/pair", exist_ok=True)
        self.write_config(config)
        if start:
            self.start()

    def write_config(self, config):
        for peer in self.peers:
            peer.write_config(DEFAULTS + config)

    def start(self):
        self.at_once(lambda peer: peer.start())

    def stop(self):
        self.at_once(lambda peer: peer.stop())

    def at_once(self, what):
        """Does it to both at the same time; [what it gives for Dovecot, for Culver]."""
        with concurrent.futures.ThreadPoolExecutor(len(self.peers)) as pool:
            return list(pool.map(what, self.peers))

    def restart(self, config=None):
        """With another configuration, or to forget everything."""
        self.stop()
        if config is not None:
            self.write_config(config)
        self.start()

    def both(self, ask):
        """[what `ask` gives for Dovecot, for Culver]"""
        return [ask(peer) for peer in self.peers]

    def compare(self, what, ask, accept=None, normalise=None):
        """Puts `ask(peer)` to both; gives Culver's answer. `accept`: the name of an accepted difference."""
        theirs, ours = self.both(ask)
        self.judge(what, theirs, ours, accept, normalise)
        return ours

    def judge(self, what, theirs, ours, accept=None, normalise=None):
        self.count += 1
        change = normalise or (lambda value: value)
        equal = comparable(change(theirs)) == comparable(change(ours))
        if accept is not None:
            assert accept in self.ACCEPTED, f"no accepted difference is called {accept!r}"
            if equal:
                self._complain(f"{what}: both say {ours}, but {accept!r} is expected")
        elif not equal:
            accept = next((name for name, accepted in self.ACCEPTED.items()
                           if accepted.fits and accepted.fits(what, theirs, ours)), None)
            if accept is None:
                self._complain(f"{what}\n  dovecot: {theirs}\n  culver:  {ours}")
        if accept is not None:
            self.used[accept] = self.used.get(accept, 0) + 1

    def _complain(self, text):
        if self.collected is not None:
            self.collected.append(text)
            return
        logs = "".join(f"\n  log of {peer.name}:\n    " + "\n    ".join(peer.log().splitlines()[-8:])
                       for peer in self.peers)
        raise AssertionError(text + logs)

    @contextlib.contextmanager
    def together(self):
        """Differences inside are reported at its end, all of them."""
        self.collected = []
        try:
            yield
        finally:
            found, self.collected = self.collected, None
        if found:
            self._complain(f"{len(found)} differences:\n" + "\n".join(found))

    def unused(self):
        """Accepted differences that no test has met."""
        return sorted(set(self.ACCEPTED) - set(self.used))

    def login(self, sasl, params=DEFAULT, initial=True, accept=None, normalise=None):
        return self.compare(f"{sasl}" + (f" with {params!r}" if params != DEFAULT else ""),
                            lambda peer: peer.auth().login(sasl, params, initial), accept, normalise)

    def logins(self, many, params=DEFAULT, initial=True, accept=None):
        """Many logins, some under way at once: Dovecot's refusals wait for a timer of half a second, even without a
        delay. `many`: mechanisms, each with accept=, initial= or params= of its own as (sasl, {...}). Gives
        Culver's replies."""
        default = {"params": params, "initial": initial, "accept": accept}
        rows = [(row[0], {**default, **row[1]}) if isinstance(row, tuple) else (row, default) for row in many]
        theirs, ours = self.both(lambda peer: self._pipelined(peer, rows))
        for (sasl, more), one, other in zip(rows, theirs, ours):
            what = f"{sasl}" + (f" with {more['params']!r}" if more["params"] != DEFAULT else "")
            self.judge(what, one, other, more["accept"])
        return ours

    @staticmethod
    def _pipelined(peer, rows, at_once=400):
        replies = []
        for first in range(0, len(rows), at_once):
            client = peer.auth()
            replies += client.login_all([(sasl, more["params"], more["initial"])
                                         for sasl, more in rows[first:first + at_once]])
        return replies

    def user(self, name, params="service=imap", accept=None, normalise=None):
        return self.compare(f"USER {name!r} {params!r}", lambda peer: peer.master().user(name, params), accept,
                            normalise)

    def passdb(self, name, params="service=imap", accept=None, normalise=None):
        return self.compare(f"PASS {name!r} {params!r}", lambda peer: peer.master().passdb(name, params), accept,
                            normalise)

    def list(self, params="service=doveadm", accept=None):
        return self.compare(f"LIST {params!r}", lambda peer: peer.master().list(params), accept)

    def doveadm(self, *args, accept=None, input=None, normalise=None):
        """(exit code, stdout, stderr) of both doveadm; compared unless `normalise` says what of it."""
        def ask(peer):
            result = peer.doveadm(*args, input=input)
            return (result.returncode, result.stdout, result.stderr)
        return self.compare(f"doveadm {' '.join(args)}", ask, accept, normalise)
