#!/usr/bin/env python3
"""`doveadm reload`: new settings for new processes, sessions that go on, listeners that come, go and change."""

import os
import pwd
import re
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, simple
from harness.mail import Connection, make_message
from harness.server import is_alive, port_is_open, wait_for
from harness.simple import PASSWORD, USER

PATIENCE = 60  # of a machine with other things to do
state = {}


def test_start():
    state["server"] = simple.start()


def reload(more="", by_signal=False):
    """The usual configuration and `more`; what the log says from here on is in new_log()."""
    server = state["server"]
    state["log"] = len(server.log())
    server.write_config(simple.CONFIG + more)
    if by_signal:
        return server.reload()
    subprocess.run(["doveadm", "reload"], check=True, capture_output=True)


def new_log():
    return state["server"].log()[state["log"]:]


def wait_log(pattern):
    return wait_for(lambda: re.search(pattern, new_log(), re.M), f"no line matches {pattern!r}", PATIENCE)


def eventually(condition, what):
    return wait_for(condition, what + "; the log: " + new_log()[-2000:], PATIENCE)


def session(port=143):
    client = Connection(port, tls=port == 993, timeout=PATIENCE)
    client.line()
    answer = client.command(f"a LOGIN {USER} {PASSWORD}")[-1]
    assert " OK " in answer, answer
    return client


def lives(client):
    return client.command("n NOOP")[-1].startswith("n OK")


def leave(client):
    client.command("z LOGOUT")
    client.close()


def processes(name, worker=False):
    """Of that program: those that the master started, or workers and their like."""
    found = set()
    for pid in state["server"].child_pids(name):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if (b"--worker" in file.read().split(b"\0")) == worker and is_alive(pid):
                    found.add(pid)
        except OSError:
            pass
    return found


def user_of(pid):
    try:
        return pwd.getpwuid(os.stat(f"/proc/{pid}").st_uid).pw_name
    except OSError:
        return None


def who():
    out = subprocess.run(["doveadm", "who", "-1"], capture_output=True, text=True).stdout
    return len([line for line in out.splitlines() if line.startswith(USER)])


def test_listeners_come_and_go_and_sessions_live_on():
    old = session()
    reload("service imap-login {\n inet_listener more {\n port = 1143\n }\n}\n"
           "service lmtp {\n unix_listener /run/more-lmtp {\n mode = 0600\n }\n}\n")
    eventually(lambda: port_is_open(1143) and os.path.exists("/run/more-lmtp"), "the new listeners are open")
    leave(session(1143))
    through_it = session(1143)
    reload()
    eventually(lambda: not port_is_open(1143) and not os.path.exists("/run/more-lmtp"), "the listeners are closed")
    assert lives(old) and lives(through_it)
    leave(session())
    leave(old)
    leave(through_it)


def test_another_address_takes_the_port_of_all_addresses():
    old = session()
    assert port_is_open(143, "127.0.0.9")
    reload("listen = 127.0.0.1, 127.0.0.5\n")
    eventually(lambda: port_is_open(143) and not port_is_open(143, "127.0.0.9"), "one address instead of all")
    leave(session())
    reload("listen = 127.0.0.5\n")
    eventually(lambda: port_is_open(143, "127.0.0.5") and not port_is_open(143), "one of two addresses is left")
    reload()
    eventually(lambda: port_is_open(143, "127.0.0.9"), "all addresses again")
    assert lives(old)
    leave(old)


def test_a_socket_changes_mode_and_owner_and_stays_the_same_socket():
    socket = os.stat(simple.LMTP_SOCKET)
    client = Connection(None, path=simple.LMTP_SOCKET, timeout=PATIENCE)
    client.reply()
    reload("service lmtp {\n unix_listener lmtp {\n mode = 0640\n user = nobody\n group = mail\n }\n}\n")
    def is_changed():
        now = os.stat(simple.LMTP_SOCKET)
        return stat.S_IMODE(now.st_mode) == 0o640 and pwd.getpwuid(now.st_uid).pw_name == "nobody" \
            and now.st_ino == socket.st_ino
    eventually(is_changed, "the socket's mode and owner are the new ones")
    client.send("LHLO client.test")
    assert client.reply().startswith("250")
    client.close()
    os.unlink(simple.LMTP_SOCKET)  # a hand that slipped
    reload()
    eventually(lambda: os.path.exists(simple.LMTP_SOCKET), "the removed socket is there again")
    assert os.stat(simple.LMTP_SOCKET).st_uid == 0


def test_another_login_user_serves_the_next_and_the_old_process_finishes_its_sessions():
    private.add_user("otherlogin", system=True)
    before = processes("imap-login")
    secure = session(993)  # goes on through its login process
    reload("default_login_user = otherlogin\n")
    eventually(lambda: "otherlogin" in {user_of(pid) for pid in processes("imap-login")}, "a process of the new user")
    leave(session())
    leave(session(993))
    assert lives(secure) and before <= processes("imap-login")
    leave(secure)
    eventually(lambda: not before & processes("imap-login"), "the old login process ends with its last session")
    reload()
    eventually(lambda: {user_of(pid) for pid in processes("imap-login")} == {"dovenull"}, "the usual user again")


def test_login_processes_in_another_number():
    for number in (3, 1):
        reload(f"service imap-login {{\n process_min_avail = {number}\n}}\n")
        eventually(lambda: len(processes("imap-login")) == number, f"{number} login processes")
        leave(session())


def test_another_memory_limit_of_imap_is_for_new_workers_and_sessions_live_on():
    old = session()
    dispatcher, worker = processes("imap"), processes("imap", worker=True)
    reload("service imap {\n vsz_limit = 300 M\n}\n")
    eventually(lambda: processes("imap") and not processes("imap") & dispatcher, "another dispatcher")
    new = session()
    assert processes("imap", worker=True) - worker, "the new session is in an old worker"
    assert lives(old)
    eventually(lambda: who() == 2, f"both sessions are listed, not {who()}")
    leave(old)
    eventually(lambda: not processes("imap", worker=True) & worker, "the old worker ends with its last session")
    eventually(lambda: who() == 1, "one session is listed")
    leave(new)


def test_client_limit_process_limit_and_service_count_of_imap():
    reload("service imap {\n client_limit = 1\n service_count = 1\n process_limit = 2\n}\n")
    def two_workers():
        first, second = session(), session()
        own = processes("imap", worker=True)
        if len(own) == 2:
            return first, second
        leave(first)
        leave(second)
    first, second = eventually(two_workers, "a worker for each session")
    third = Connection(143, timeout=PATIENCE)
    third.line()
    assert "process_limit" in third.command(f"a LOGIN {USER} {PASSWORD}")[-1]
    leave(first)
    leave(second)
    eventually(lambda: not processes("imap", worker=True), "service_count = 1: they end with their sessions")
    reload()
    leave(session())


def test_another_user_of_auth_and_logins_go_on():
    private.add_user("otherauth", system=True)
    before = processes("auth")
    reload("service auth {\n user = otherauth\n}\n")
    eventually(lambda: any(user_of(pid) == "otherauth" for pid in processes("auth")), "auth runs as the new user")
    eventually(lambda: not before & {pid for pid in processes("auth") if user_of(pid) == "dovecot"}, "the old has left")
    def can_log_in():
        client = Connection(143, timeout=PATIENCE)
        client.line()
        return " OK " in client.command(f"a LOGIN {USER} {PASSWORD}")[-1]
    eventually(can_log_in, "a login by way of the new process")
    reload()


def test_an_lmtp_transaction_survives_the_change_of_its_service():
    before = processes("lmtp")
    client = Connection(None, path=simple.LMTP_SOCKET, timeout=PATIENCE)
    client.reply()
    for line in ("LHLO client.test", "MAIL FROM:<a@extdomain.test>", f"RCPT TO:<{USER}>"):
        client.send(line)
        assert client.reply().startswith("250"), line
    reload("service lmtp {\n vsz_limit = 200 M\n}\n")
    eventually(lambda: processes("lmtp") - before, "another lmtp process")
    client.send("DATA")
    assert client.reply().startswith("354")
    client.send(make_message("through a reload").encode() + b"\r\n.\r\n")
    assert client.reply().startswith("250")
    client.send("QUIT")
    client.close()
    eventually(lambda: not before & processes("lmtp"), "the old lmtp process ends with its last client")


def test_a_broken_configuration_changes_nothing_and_is_told_whole():
    old = session()
    pids = {name: processes(name) for name in ("auth", "imap", "lmtp", "imap-login")}
    reload("no_such_setting = 1\nservice imap-login {\n process_min_avail = many\n}\nprotocols = imap\n",
           by_signal=True)
    wait_log("the old one stays in force")
    told = subprocess.run(["doveadm", "reload"], capture_output=True, text=True)
    assert told.returncode != 0
    for place in (new_log(), told.stderr):
        assert "no_such_setting" in place and "process_min_avail" in place, place
    reload("service imap-login {\n user = nobody-of-that-name\n inet_listener x {\n port = 1144\n }\n}\n"
           "service lmtp {\n executable = no-such-program\n unix_listener y {\n group = no-such-group\n }\n}\n")
    wait_log("the old one stays in force")
    for word in ("nobody-of-that-name", "no-such-program", "no-such-group"):
        assert word in new_log(), (word, new_log())
    assert not port_is_open(1144)
    assert pids == {name: processes(name) for name in pids}
    assert lives(old)
    leave(session())
    leave(old)


def test_what_needs_a_restart_is_named_and_the_rest_is_in_force():
    reload("base_dir = /run/elsewhere\nservice imap-login {\n inet_listener more {\n port = 1145\n }\n}\n",
           by_signal=True)
    wait_log(r"only a restart changes base_dir")
    eventually(lambda: port_is_open(1145), "the new port")
    leave(session())
    reload()
    eventually(lambda: not port_is_open(1145), "the port is closed")


def test_nothing_died_and_nothing_was_killed():
    bad = re.findall(r".*(?:child \d+|killing it|Panic|throttling|cut off|in use).*", state["server"].log())
    assert not bad, bad


CLEANUP = [lambda: state["server"].stop()]

if __name__ == "__main__":
    case.main(globals())
