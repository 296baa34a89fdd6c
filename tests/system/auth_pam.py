#!/usr/bin/env python3
"""passdb pam with real services in /etc/pam.d, beside Debian's Dovecot; and modules that hang, crash or leak."""

import glob
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, sasl
from harness.authpair import Accepted, Pair, children, culver_alone
from harness.server import is_alive, pids_called, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
CODES = """success open_err symbol_err service_err system_err buf_err perm_denied auth_err cred_insufficient
authinfo_unavail user_unknown maxtries new_authtok_reqd acct_expired session_err cred_unavail cred_expired cred_err
no_module_data conv_err authtok_err authtok_recover_err authtok_lock_busy authtok_disable_aging try_again ignore abort
authtok_expired module_unknown bad_item conv_again incomplete""".split()
# The modules say that they cannot tell.
CANNOT_TELL = {"open_err", "symbol_err", "service_err", "system_err", "buf_err", "authinfo_unavail", "abort"}
CONFIG = """auth_mechanisms = plain login
%s
passdb {
  driver = pam
  args = %s
}
userdb {
  driver = passwd
}
"""
Pair.ACCEPTED = {name: Accepted(reason) for name, reason in {
    "cannot tell": "A module that says that it cannot tell is a temporary failure; Dovecot says wrong password.",
    "expired token": "Culver says pass_expired of an expired authentication token too; Dovecot says wrong password.",
    "message": "failure_show_msg shows the modules' message, as documented; in Dovecot 2.3.19 it does not arrive.",
    "path": "The service's name is no path: a client cannot choose a file of another folder by %s.",
}.items()}
NOTES, HANGING_NOTES = "/var/tmp/pam-notes", "/var/tmp/pam-notes-hanging"
HANG, HANG_ALONE = "/var/tmp/pam-hang", "/var/tmp/pam-hang-alone"
# A refusal of pam_unix takes two seconds without `nodelay`.
UNIX = ("auth required pam_unix.so nodelay", "account required pam_unix.so", "session required pam_permit.so")
state = {}


def service(name, *lines):
    private.install_file(f"/etc/pam.d/{name}", "".join(line + "\n" for line in lines))


def own(name, auth="", account="", session=""):
    """A service of the module below, with these arguments."""
    service(name, f"auth required pam_test.so {auth}", f"account required pam_test.so {account}",
            f"session required pam_test.so {session}")


def params(name, more=""):
    return f"service={name}\tno-penalty\trip=192.0.2.5{more}"


def read(path):
    with open(path) as file:
        return file.read()


def notes():
    """What the module wrote down since the last call."""
    text = read(NOTES)
    os.truncate(NOTES, 0)
    return text


def logins(pair, rows):
    """[(user, password, service, accepted difference)], all under way at once: PAM is slow in refusing."""
    theirs, ours = pair.both(lambda peer: peer.auth().login_all(
        [(sasl.Plain(user, password), params(name), True) for user, password, name, _ in rows]))
    for (user, password, name, accept), one, other in zip(rows, theirs, ours):
        pair.judge(f"{user} {password!r} {name}", one, other, accept)


def use(args, more="auth_worker_max_count = 40"):
    if "pair" in state:
        state["pair"].restart(CONFIG % (more, args))
    else:
        state["pair"] = Pair(CONFIG % (more, args))
    return state["pair"]


def test_start():
    folder = os.path.dirname(glob.glob("/lib/*/security/pam_unix.so")[0])
    subprocess.run(["g++", "-std=c++20", "-shared", "-fPIC", "-o", f"{folder}/pam_test.so", f"{HERE}/pam-module.cpp",
                    "-lpam"], check=True)
    for path in (NOTES, HANGING_NOTES):
        private.install_file(path, "", 0o666)
    for code in CODES:
        permit = ["auth required pam_permit.so", "account required pam_permit.so", "session required pam_permit.so"]
        for place, line in enumerate((f"auth required pam_debug.so auth={code} cred=success",
                                      f"account required pam_debug.so acct={code}",
                                      f"session required pam_debug.so open_session={code}")):
            service(f"pair-{'aks'[place]}-{code}",
                    *(line if number == place else other for number, other in enumerate(permit)))
        service(f"pair-c-{code}", f"auth required pam_debug.so auth=success cred={code}", *permit[1:])
    for user in ("bob", "old", "locked", "aged", "newpw", "noshell"):
        private.add_user(user, password="secret")
    subprocess.run(["chage", "-E", "1", "old"], check=True)
    subprocess.run(["usermod", "-L", "locked"], check=True)
    subprocess.run(["chage", "-d", "10", "-M", "5", "-I", "3", "aged"], check=True)
    subprocess.run(["chage", "-d", "0", "newpw"], check=True)
    subprocess.run(["usermod", "-s", "/usr/sbin/nologin", "noshell"], check=True)
    begin_to_hang()
    use("session=yes setcred=yes pair-%s")


def begin_to_hang():
    """Modules that do not answer, in a server beside the pair: what becomes of them is looked at when the others are
    done, a minute later."""
    own("hanging-hang", f"notes={HANGING_NOTES} hang={HANG}")
    own("hanging-child", f"notes={HANGING_NOTES} child={HANG}")
    service("hanging-unix", *UNIX)
    private.install_file(HANG, "")
    hanging = state["hanging"] = culver_alone(CONFIG % ("auth_worker_max_count = 8", "hanging-%s"), "hanging")
    assert hanging.auth().login(sasl.Plain("bob", "secret"), params("unix")).kind == "OK", hanging.log()
    state["hanging auth"] = hanging.auth_pids()
    client = state["hanging client"] = hanging.new_auth(timeout=200)
    state["hanging since"] = time.monotonic()
    state["hanging logins"] = [client.start(sasl.Plain("bob", "secret"), params(name))
                               for name in ("hang", "hang", "child")]


def test_others_do_not_wait_for_modules_that_hang():
    """Those of begin_to_hang() hang for a minute at least."""
    for _ in range(10):
        assert state["hanging"].auth().login(sasl.Plain("bob", "secret"), params("unix")).kind == "OK"
    late = time.monotonic() - state["hanging since"] > 55
    assert late or state["hanging client"].quiet_line(0.1) == "", "a module that hangs has answered"


def test_every_result_of_every_call():
    """pam_debug gives each of PAM's codes in place of authenticate, acct_mgmt, setcred, open_session."""
    pair = state["pair"]
    accepted = {**dict.fromkeys(CANNOT_TELL, "cannot tell"), "authtok_expired": "expired token"}
    with pair.together():
        logins(pair, [("bob", "secret", f"{place}-{code}", accepted.get(code)) for place in "akcs" for code in CODES])
    for call in ("authenticate", "acct_mgmt", "setcred", "open_session"):
        pair.culver.wait_log(rf"auth: Info: pam\(bob,192.0.2.5\): pam_{call}\(\) failed: Permission denied")
        pair.culver.wait_log(rf"auth: Error: pam\(bob,192.0.2.5\): pam_{call}\(\) failed: System error")
    pair.culver.wait_log(r"pam_authenticate\(\) failed: Authentication failure \(Password mismatch\?\)")


def test_real_modules_and_accounts():
    service("pair-unix", *UNIX)
    service("pair-shells", "auth required pam_shells.so", *UNIX)
    private.install_file("/etc/pair/allowed", "bob\n")
    private.install_file("/etc/pair/denied", "192.0.2.66\n")
    for name, item in (("users", "item=user sense=allow file=/etc/pair/allowed"),
                       ("hosts", "item=rhost sense=deny file=/etc/pair/denied")):
        service(f"pair-{name}", f"auth required pam_listfile.so {item} onerr=fail", *UNIX)
    service("pair-deny", "auth required pam_deny.so", "account required pam_permit.so")
    service("pair-echo", "auth optional pam_echo.so hello %u", *UNIX)
    service("pair-partial", "auth required pam_unix.so nodelay")
    service("pair-nomodule", "auth required pam_nosuch.so", "account required pam_permit.so")
    service("pair-exec", "auth required pam_exec.so quiet expose_authtok /etc/pair/check",
            "auth required pam_permit.so", *UNIX[1:])
    service("pair-succeed", "auth required pam_succeed_if.so uid >= 1000 quiet", *UNIX)
    private.install_file("/etc/pair/check", """#!/bin/sh
[ $PAM_TYPE = auth ] || exit 0
[ "$(cat | tr -d '\\0')" = secret ] && [ "$PAM_USER" = bob ] && [ "$PAM_RHOST" = 192.0.2.5 ] && [ "$PAM_TTY" = dovecot ]
""", 0o755)
    pair = state["pair"]
    with pair.together():
        users = ("bob", "old", "locked", "aged", "newpw", "noshell", "nobody", "nosuchuser", "root", "BOB")
        names = ("unix", "shells", "users", "deny", "echo", "partial", "nomodule", "succeed", "other", "missing")
        expired = ("unix", "shells", "echo", "succeed")
        logins(pair, [(user, "secret", name, "expired token" if user == "aged" and name in expired else None)
                      for user in users for name in names])
        logins(pair, [(user, password, "unix", None) for user in users for password in ("wrong", "")])
        for user in users:
            pair.user(user)
        pair.login(sasl.Login("bob", "secret"), params("unix"), initial=False)
        pair.login(sasl.Plain("bob", "secret"), params("hosts"))
        pair.login(sasl.Plain("bob", "secret"), params("hosts").replace("192.0.2.5", "192.0.2.66"))
        pair.login(sasl.Plain("bob", "secret"), params("exec"))
        pair.login(sasl.Plain("bob", "secret"), params("../pam.d/pair-unix"), accept="path")
    assert pair.culver.auth().login(sasl.Plain("bob", "secret"), params("exec")).kind == "OK"
    assert pair.culver.auth().login(sasl.Plain("old", "secret"), params("unix")).get("code") == "pass_expired"
    assert pair.culver.auth().login(sasl.Plain("aged", "secret"), params("unix")).get("code") == "pass_expired"
    assert pair.culver.auth().login(sasl.Plain("locked", "secret"), params("unix")).kind == "FAIL"
    pair.culver.wait_log(r"pair-missing missing\?")


def test_modules_see_what_they_see_of_dovecot():
    """Order, flags, items, prompts, user id, changed user names."""
    own("pair-items", "items prompt=Password: prompt=Again: echo=Login:", "items", "items")
    own("pair-rename", "user=newname", "items")
    own("pair-renamenone", "user=")
    own("pair-says", "err=one info=two", "err=three")
    own("pair-wrong", "err=one rc=7")
    own("pair-session", "", "", "rc=14")
    def login(user, name):
        def ask(peer):
            reply = peer.auth().login(sasl.Plain(user, "se cret%"), params(name))
            return [reply, notes()]
        return ask
    for args in ("session=yes setcred=yes pair-%s", "pair-%s", "session=yes pair-%s", "setcred=yes pair-%s",
                 "-session pair-%s", "max_requests=5 cache_key=%u%r pair-%{service}"):
        pair = use(args)
        with pair.together():
            for name in ("items", "rename", "renamenone", "says", "wrong", "session"):
                pair.compare(f"{name} with args = {args}", login("bob", name))


def test_the_service_name():
    service("imap", "auth required pam_permit.so", "account required pam_permit.so")
    service("dovecot", "auth required pam_unix.so nodelay", "account required pam_unix.so")
    service("x-bob", "auth required pam_permit.so", "account required pam_permit.so")
    for args in ("*", "dovecot", "", "x-%u", "%Ls", "session=yes *"):
        pair = use(args)
        with pair.together():
            logins(pair, [(user, password, name, None) for name in ("imap", "nosuch") for user, password in
                          (("bob", "secret"), ("bob", "wrong"), ("old", "wrong"))])


def test_the_modules_message_is_shown_if_asked_for():
    own("pair-message", "err=the_account_is_closed rc=7")
    own("pair-long", f"err={'x' * 400} err={'y' * 400} err={'z' * 400} rc=7")
    pair = use("failure_show_msg=yes pair-%s")
    reply = pair.login(sasl.Plain("bob", "secret"), params("message"), accept="message")
    assert reply.get("reason") == "the_account_is_closed", reply
    assert len(pair.culver.auth().login(sasl.Plain("bob", "secret"), params("long")).get("reason")) <= 1024
    pair = use("pair-%s")
    pair.login(sasl.Plain("bob", "secret"), params("message"))


def test_cache_key():
    """Only with it a verdict is remembered, and for what it names."""
    own("pair-count")
    for args, calls in (("pair-count", [1, 1, 1, 1, 1]), ("cache_key=%u%r pair-count", [1, 0, 1, 0, 1]),
                        ("cache_key=%u pair-count", [1, 0, 0, 0, 1])):
        pair = use(args, "auth_cache_size = 1M")
        def ask(peer):
            notes()
            found = []
            for user, address in (("bob", 1), ("bob", 1), ("bob", 2), ("bob", 1), ("eve", 1)):
                place = f"service=imap\tno-penalty\trip=192.0.2.{address}"
                assert peer.auth().login(sasl.Plain(user, "secret"), place).kind == "OK"
                found.append(notes().count("authenticate"))
            return found
        assert pair.compare(args, ask) == calls, args


def test_max_requests():
    """A worker ends after so many answers; one that was asked in between is asked again."""
    own("pair-pid", "pid")
    pair = use("max_requests=3 pair-pid")
    notes()
    for _ in range(10):
        assert pair.culver.auth().login(sasl.Plain("bob", "x"), params("imap")).kind == "OK"
    pids = re.findall(r"pid=(\d+)", notes())
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 3, 1], pids
    wait_for(lambda: not any(is_alive(int(pid)) for pid in dict.fromkeys(pids[:9])), "they have ended")
    pair = use("pair-pid")
    for _ in range(10):
        assert pair.culver.auth().login(sasl.Plain("bob", "x"), params("imap")).kind == "OK"
    assert len(set(re.findall(r"pid=(\d+)", notes()))) == 1


def test_a_module_that_crashes():
    own("pair-crash", "crash")
    own("pair-exit", "exit")
    pair = use("pair-%s")
    for name in ("crash", "exit"):
        for _ in range(3):
            pair.login(sasl.Plain("bob", "secret"), params(name))
        reply = pair.culver.auth().login(sasl.Plain("bob", "secret"), params(name))
        assert reply.kind == "FAIL" and reply.get("code") == "temp_fail", reply
        pair.culver.wait_log(rf"a PAM module of service pair-{name} hung for 60 secs or crashed")
        assert pair.culver.auth().login(sasl.Plain("bob", "secret"), params("unix")).kind == "OK"


def test_the_supervisor_is_killed():
    """auth notices, answers what is under way, ends, and is started again; nobody has to do anything."""
    own("pair-hang", f"hang={HANG_ALONE}")
    pair = use("pair-%s")
    assert pair.culver.auth().login(sasl.Plain("bob", "secret"), params("unix")).kind == "OK"
    wait_for(lambda: pair.culver.auth_pids(), "auth")
    time.sleep(1)  # so that the master does not think that it dies early
    before = pair.culver.auth_pids()
    notes()
    private.install_file(HANG_ALONE, "")
    hanging = pair.culver.new_auth()
    id = hanging.start(sasl.Plain("bob", "secret"), params("hang"))
    wait_for(lambda: "authenticate" in read(NOTES), "the module hangs")
    os.kill(supervisor(pair.culver), signal.SIGKILL)
    reply = hanging.finish(sasl.Plain("", ""), id)
    assert reply.kind == "FAIL" and reply.get("code") == "temp_fail", reply
    os.unlink(HANG_ALONE)
    pair.culver.wait_log("Error: the supervisor of auth's helper processes has died; auth ends, to be started again")
    wait_for(lambda: not [pid for pid in before if is_alive(pid)], "the old auth has ended")
    pair.culver.forget_clients()
    wait_for(lambda: answers(pair.culver), "auth is started again")
    assert not set(pair.culver.auth_pids()) & set(before)
    wait_for(lambda: supervisor(pair.culver), "a supervisor beside the new auth")


def supervisor(peer):
    """The pid of the process that forks the helpers; there is one, or none."""
    found = [pid for pid in pids_called("auth-helpers") if pid in children(peer.auth_pids()[0])]
    assert len(found) <= 1, found
    return found[0] if found else None


def answers(peer):
    try:
        return peer.new_auth().login(sasl.Plain("bob", "secret"), params("unix")).kind == "OK"
    except (OSError, AssertionError):
        return False


def test_many_at_once():
    pair = use("pair-%s", "auth_worker_max_count = 8")
    client = pair.culver.new_auth()
    ids = [client.start(sasl.Plain("bob", "secret" if n % 2 else "wrong"), params("unix")) for n in range(60)]
    for number, id in enumerate(ids):
        reply = client.finish(sasl.Plain("", ""), id)
        assert reply.kind == ("OK" if number % 2 else "FAIL") and reply.get("code") is None, (number, reply)
    assert len(helpers(pair.culver)) <= 8


def helpers(peer):
    """The pids of its PAM helpers."""
    return [pid for pid in pids_called("auth-pam") if pid in children(supervisor(peer))]


def test_what_helpers_hold():
    """No descriptor of authd's but standard ones and their own socket."""
    pair = use("pair-%s")
    assert pair.culver.auth().login(sasl.Plain("bob", "secret"), params("unix")).kind == "OK"
    ours = helpers(pair.culver)
    for pid in ours:
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd") if int(fd) > 2]
        assert len(links) == 1 and links[0].startswith("socket:"), links
    ours.append(supervisor(pair.culver))
    assert sorted(int(fd) for fd in os.listdir(f"/proc/{ours[-1]}/fd")) == [0, 1, 2, 3, 4]
    pair.culver.stop()
    wait_for(lambda: not any(is_alive(pid) for pid in ours), "they end with auth")
    pair.culver.start()


def test_modules_that_hang():
    """A minute, then a temporary failure, with whatever the module has started; others go on; no restart is needed."""
    hanging, client = state["hanging"], state["hanging client"]
    child = int(wait_for(lambda: re.search(r"child=(\d+)", read(HANGING_NOTES)), "the module has a child").group(1))
    for id in state["hanging logins"]:
        reply = client.finish(sasl.Plain("", ""), id)
        assert reply.kind == "FAIL" and reply.get("code") == "temp_fail", reply
    assert time.monotonic() - state["hanging since"] > 55
    wait_for(lambda: not is_alive(child), "the module's child is ended with it")
    os.unlink(HANG)
    assert hanging.auth().login(sasl.Plain("bob", "secret"), params("hang")).kind == "OK"
    assert hanging.auth_pids() == state["hanging auth"], "auth was not started again"
    hanging.stop()


def test_every_accepted_difference_is_real():
    assert not state["pair"].unused(), state["pair"].unused()


CLEANUP = [lambda: os.path.exists(HANG) and os.unlink(HANG), lambda: state["pair"].stop(),
           lambda: state["hanging"].stop()]

if __name__ == "__main__":
    case.main(globals())
