#!/usr/bin/env python3
"""passdb and userdb checkpassword beside Debian's Dovecot: the same programs, asked by both, see and say the same."""

import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, sasl
from harness.authpair import Accepted, Pair, children, culver_alone
from harness.server import is_alive, pids_called, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = "/etc/pair/programs"
USERS = "bob@example.test:secret\ncarl@example.test:pass word\n"
ADDRESSES = "lip=192.0.2.1\trip=192.0.2.2\tlport=143\trport=4444\treal_rip=192.0.2.9"
FULL = f"service=imap\tsecured\tno-penalty\t{ADDRESSES}\tsession=abcd\tlocal_name=mail.example.test"
BOTH = """auth_mechanisms = plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256
auth_username_chars =
%s
passdb {
  driver = checkpassword
  args = %s
}
userdb {
  driver = prefetch
}
userdb {
  driver = checkpassword
  args = %s
}
"""
# What Dovecot's master passes on to its services, which is no part of the interface.
MASTERS_OWN = ("DOVECOT_", "SOCKET", "LOG_", "CLIENT_LIMIT", "CONFIG_FILE", "GENERATION", "IDLE_KILL", "PROCESS_",
               "SERVICE_NAME", "SERVICE_COUNT", "STATS_", "RESTRICT_", "CORE_")
Pair.ACCEPTED = {name: Accepted(reason) for name, reason in {
    "empty name": "A program that renames the user to nothing is broken: a temporary failure, not a wrong password.",
    "control name": "A name with a line end in it goes no further, as from clients.",
    "nameless field": "Dovecot's auth process panics over a field without a name; Culver fails that request.",
    "words": "A blank in a user name makes two arguments of one in Dovecot; in Culver a variable stays within its "
             "word.",
}.items()}
state = {}


def test_start():
    private.add_user("vmail", uid=5000, home="/srv")
    shutil.copytree(os.path.join(HERE, "checkpassword"), PROGRAMS)
    for path in glob.glob(PROGRAMS + "/*"):
        os.chmod(path, 0o755)
    private.install_file("/etc/pair/sh-users", USERS)
    os.makedirs("/var/tmp/seen", exist_ok=True)
    os.chmod("/var/tmp/seen", 0o1777)
    begin_to_hang()
    use("plain.sh")


def begin_to_hang():
    """A program that does not answer, in a server beside the pair: what becomes of it is looked at when the others are
    done, a minute later."""
    program = f"{PROGRAMS}/mirror.py /var/tmp/seen/hanging"
    hanging = state["hanging"] = culver_alone(BOTH % ("", program, program), "hanging")
    client = state["hanging client"] = hanging.new_auth(timeout=200)
    state["hanging since"] = time.monotonic()
    state["hanging login"] = client.start(sasl.Plain("sleep-300", "secret"))


def use(args, more=""):
    """Both servers with that program for everything."""
    text = BOTH % (more, f"{PROGRAMS}/{args}", f"{PROGRAMS}/{args}")
    if "pair" in state:
        state["pair"].restart(text)
    else:
        state["pair"] = Pair(text)
    return state["pair"]


def mirror(more="", args=""):
    return use(f"mirror.py /var/tmp/seen/@NAME@ {args}".strip(), more)


def seen(peer):
    """What mirror.py was given since the last call."""
    path = f"/var/tmp/seen/{peer.name}"
    try:
        with open(path) as file:
            reports = [json.loads(line) for line in file]
        os.unlink(path)
    except FileNotFoundError:
        return []
    for report in reports:
        report["environment"] = {key: value for key, value in sorted(report["environment"].items())
                                 if not key.startswith(MASTERS_OWN)}
    return reports


def test_others_do_not_wait_for_a_program_that_hangs():
    """That of begin_to_hang() hangs for a minute at least."""
    state["hanging child"] = int(wait_for(lambda: read("/var/tmp/seen/hanging.child"), "the program has a child"))
    for _ in range(5):
        assert state["hanging"].auth().login(sasl.Plain("bob", "secret")).kind == "OK"
    late = time.monotonic() - state["hanging since"] > 55
    assert late or state["hanging client"].quiet_line(0.1) == "", "a program that hangs has answered"


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return ""


def test_a_posix_shell_script():
    pair = state["pair"]
    with pair.together():
        for user, password in (("bob@example.test", "secret"), ("carl@example.test", "pass word"),
                               ("bob@example.test", "wrong"), ("bob@example.test", ""), ("bob", "secret"),
                               ("nobody@example.test", "secret")):
            pair.login(sasl.Plain(user, password))
            pair.login(sasl.Login(user, password), initial=False)
        pair.user("bob@example.test")  # it knows no lookups
    assert pair.culver.auth().login(sasl.Plain("bob@example.test", "secret")).kind == "OK"


def test_a_bash_script_for_logins_and_lookups():
    pair = use("both.bash")
    with pair.together():
        for make in (sasl.Plain, sasl.CramMd5, sasl.DigestMd5, sasl.ScramSha1, sasl.ScramSha256):
            assert pair.login(make("bob@example.test", "secret")).kind == "OK", make
            pair.login(make("bob@example.test", "wrong"))
            pair.login(make("nobody@example.test", "secret"))
        pair.login(sasl.Plain("BOB@Example.Test", "secret"))
        for user in ("bob@example.test", "BOB@example.test", "nobody@example.test"):
            pair.user(user)
            pair.passdb(user)
        os.rename("/etc/pair/sh-users", "/etc/pair/away")  # exit code 111
        pair.login(sasl.Plain("bob@example.test", "secret"))
        pair.login(sasl.CramMd5("bob@example.test", "secret"))
        pair.user("bob@example.test")
        os.rename("/etc/pair/away", "/etc/pair/sh-users")
        pair.login(sasl.Plain("bob@example.test", "secret"))


def test_a_python_program_with_fields():
    pair = use("fields.py")
    with pair.together():
        for user in ("bob", "ann@alias.test", "nologin", "inside"):
            pair.login(sasl.Plain(user, "secret"), FULL)
            pair.login(sasl.Plain(user, "wrong"), FULL)
            pair.user(user)
        pair.passdb("bob")
        pair.passdb("ann@alias.test")
        pair.user("nobody")
        pair.passdb("nobody")
        pair.login(sasl.Plain("inside", "secret"), "service=imap\tno-penalty\trip=10.1.2.3")
    assert "wrong password for bob" in pair.culver.log(), "what a program says on standard error is in the log"


def test_a_perl_program():
    pair = use("users.pl")
    with pair.together():
        for user, password in (("bob", "secret"), ("carl@example.test", "other"), ("bob", "other"), ("eve", "secret")):
            pair.login(sasl.Plain(user, password))
            pair.user(user)
            pair.passdb(user)


def picked_up(peer, user, params=FULL):
    """A login through a login socket, and what the mail process then hears of the user."""
    client = peer.new_auth("auth-login")
    id = client.start(sasl.Plain(user, "secret"), params)
    reply = client.finish(sasl.Plain(user, "secret"), id)
    given = peer.master().request(client, id)
    client.close()
    return [reply, given]


def test_prefetch_gets_the_fields_of_the_login():
    for program in ("fields.py", "both.bash", "users.pl", "plain.sh"):
        pair = use(program)
        with pair.together():
            pair.compare(program, lambda peer: picked_up(peer, "bob@example.test" if "sh" in program else "bob"))


def test_programs_see_the_same():
    """Arguments, descriptor 3, the environment, directory, umask, ids."""
    pair = mirror("auth_master_user_separator = *", "-a 'b c' \\e  %u %d =%{session}= %%")
    def what(peer):
        reports = seen(peer)
        for report in reports:
            report.pop("open")
            report["cwd"] = report["cwd"].replace(peer.base, "@BASE@")
            report.pop("ignored")  # Dovecot lets SIGPIPE and others stay ignored
        return json.dumps(reports, sort_keys=True, indent=1)
    with pair.together():
        for user, params in (("bob@example.test", FULL), ("bob", "service=imap\tno-penalty"), ("a@b@c", FULL),
                             ("ünï@example.test", FULL), ("%u$(id)`id`'\"", FULL)):
            pair.login(sasl.Plain(user, "secret"), params)
            pair.compare(f"what the program sees of {user}", what)
            pair.login(sasl.Plain(user, "wrong"), params)
            pair.compare(f"what the program sees of {user} with a wrong password", what)
        for mechanism in (sasl.CramMd5, sasl.DigestMd5, sasl.ScramSha1, sasl.ScramSha256):
            pair.login(mechanism("bob@example.test", "secret"), FULL)
            pair.compare(f"what the program sees of {mechanism.name}", what)
        pair.user("bob@example.test", f"service=lmtp\t{ADDRESSES}")
        pair.compare("what the program sees of USER", what)
        pair.passdb("bob@example.test", "service=lmtp")
        pair.compare("what the program sees of PASS", what)


def test_a_blank_in_a_name_makes_no_argument():
    pair = mirror(args="%u")
    pair.compare("argv", lambda peer: (peer.auth().login(sasl.Plain("a --b", "secret")).kind,
                                       [report["argv"] for report in seen(peer)]), accept="words")


def test_nothing_but_five_descriptors_is_open():
    """Dovecot's programs inherit its auth process's; Culver's get what is theirs."""
    pair = mirror()
    pair.culver.auth().login(sasl.Plain("bob", "secret"))
    report = seen(pair.culver)[0]
    # The report and the directory that is being listed are mirror.py's own; Python ignores SIGPIPE and SIGXFSZ.
    assert report["open"] == [0, 1, 2, 3, 4, 5, 6], report["open"]
    assert int(report["ignored"], 16) & ~0x1001000 == 0, report["ignored"]
    assert not [name for name in report["environment"] if name.startswith("CULVER_")], report


def test_exit_statuses():
    pair = mirror()
    with pair.together():
        names = ([f"exit-{code}" for code in (0, 1, 2, 3, 4, 84, 111, 126, 255)]
                 + [f"kill-{number}" for number in (9, 11, 15)] + [f"reply-{code}" for code in (0, 1, 2, 3, 111)]
                 + ["keep", "nobody", "lost", "tab"])
        for mechanism in (sasl.Plain, sasl.CramMd5):
            pair.logins([mechanism(name, "secret") for name in names])
        for name in names:
            pair.user(name)
            pair.passdb(name)
        pair.login(sasl.CramMd5("bare", "secret"))
        pair.login(sasl.CramMd5("bare", "secret"))


def test_replies():
    """What comes on descriptor 4, byte by byte."""
    pair = mirror()
    with pair.together():
        for text in ("0:", "0:user=x", "0:user=x\\t", "0:user=raw\\tuserdb_uid=5000", "0:user=x\\nfoo=bar",
                     "2:user=x\\tuserdb_uid=5\\t",
                     "1:user=x\\t", "0:allow_nets=10.0.0.0/8\\t", "0:userdb_home=a\\1tb\\t", "0:reason=%u\\t",
                     "0:User=Z\\t",
                     "0:a\\tb=c\\t\\tuserdb_x\\t", "0:a=1\\ta=2\\t", "0:nologin\\t", "0:nologin=\\t", 
                     "0:proxy\\thost=192.0.2.7\\tport=14\\t", "0:\\t\\t", "0:user=x\\tuser=y\\t", "0:x=a\\1rb\\1nc\\t"):
            pair.login(sasl.Plain("raw", text))
        pair.login(sasl.Plain("raw", "0:nopassword\\tpassword={PLAIN}zz\\t"))
        pair.login(sasl.Plain("raw", "0:nodelay\\t"))
        pair.login(sasl.Plain("raw", "0:user=\\t"), accept="empty name")
        pair.login(sasl.Plain("raw", "0:user=a\\1nb\\t"), accept="control name")
        pair.login(sasl.Plain("raw", "0:a=b\\t=z\\t"), accept="nameless field")


def test_programs_that_cannot_be_run():
    private.install_file(f"{PROGRAMS}/not-executable", "#!/bin/sh\n", 0o644)
    private.install_file(f"{PROGRAMS}/no-interpreter", "#!/no/such\n", 0o755)
    private.install_file(f"{PROGRAMS}/no-shebang", "exit 1\n", 0o755)
    for name in ("missing", "not-executable", "no-interpreter", "no-shebang", "."):
        pair = use(name)
        with pair.together():
            pair.login(sasl.Plain("bob", "secret"))
            pair.user("bob")
        pair.culver.wait_log(r"checkpassword\(bob\): the program cannot be run")


def test_programs_that_become_the_user():
    """auth as root: refused for who setuid()s, unless he says it is meant, or checkpassword-reply is set-group-id."""
    pair = mirror("service auth {\n  user = root\n}")
    reply = os.path.join(os.environ.get("CULVER_BUILD", ""), "libexec/dovecot/checkpassword-reply")
    with pair.together():
        for name in ("bob", "setuid", "insecure"):
            pair.login(sasl.Plain(name, "secret"))
            pair.user(name)
    assert os.path.exists(reply)


def reply_of(program, environment, uid=0, output=True):
    """(exit status, what stands on descriptor 4) of a checkpassword-reply."""
    def prepare():
        os.dup2(write if output else os.open("/dev/full", os.O_WRONLY), 4)
        if uid:
            os.setgid(uid)
            os.setuid(uid)
    read, write = os.pipe()
    process = subprocess.Popen([program], env=environment, preexec_fn=prepare, pass_fds=(4,), stderr=subprocess.DEVNULL)
    os.close(write)
    data = os.read(read, 65536)
    os.close(read)
    return process.wait(), data.decode("latin-1")


def test_the_reply_program_answers_as_dovecots():
    ours = os.path.join(state["pair"].culver.program.removesuffix("/sbin/dovecot"),
                        "libexec/dovecot/checkpassword-reply")
    theirs = "/usr/lib/dovecot/checkpassword-reply"
    safe = {"ORIG_UID": "0"}
    for environment, uid in (
            (safe, 0), ({}, 0), ({"ORIG_UID": "5"}, 0), ({"ORIG_UID": "x"}, 0), ({"ORIG_UID": ""}, 0),
            ({"ORIG_UID": "00"}, 0), ({"INSECURE_SETUID": ""}, 0), ({"ORIG_UID": "0"}, 5000),
            ({"ORIG_UID": "5000"}, 5000), ({"ORIG_UID": "0", "INSECURE_SETUID": "1"}, 5000),
            *((dict(safe, USER="a", HOME="/b", AUTHORIZED=value), 0) for value in ("", "0", "1", "2", "3", "22")),
            (dict(safe, USER="", HOME=""), 0), (dict(safe, USER="a\tb"), 0), (dict(safe, HOME="a\tb"), 0),
            (dict(safe, USER="a\1b\nc\rd"), 0), (dict(safe, EXTRA="x", x="a\1b\nc\rd\te"), 0),
            (dict(safe, EXTRA="a  b A userdb_uid USERDB_GID userdb_home ", a="1", A="2", b="x y", userdb_uid="7",
                  USERDB_GID="8", userdb_home="/z", HOME="/y"), 0),
            (dict(safe, EXTRA="USER HOME EXTRA AUTHORIZED", USER="u", HOME="h", AUTHORIZED="2"), 0),
            (dict(safe, EXTRA="a\tb", a="1", b="2"), 0), (dict(safe, EXTRA="a\nb", a="1", b="2"), 0),
            (dict(safe, EXTRA=""), 0), (dict(safe, EXTRA=" "), 0), (dict(safe, EXTRA="x", x=""), 0)):
        assert reply_of(theirs, environment, uid) == reply_of(ours, environment, uid), (
            environment, uid, reply_of(theirs, environment, uid), reply_of(ours, environment, uid))
    assert reply_of(ours, safe, output=False)[0] == reply_of(theirs, safe, output=False)[0] == 111


def test_bad_programs_hurt_only_themselves():
    """They are dealt with at once: long before their minute is over, which is when the client here gives up."""
    pair = mirror()
    client = pair.culver.new_auth(timeout=50)
    for name, word in (("flood", "wrote too much"), ("loud", None), ("orphan", None)):
        reply = client.login(sasl.Plain(name, "secret"))
        assert reply.kind == ("FAIL" if word else "OK"), (name, reply)
        if word:
            assert reply.get("code") == "temp_fail", reply
            pair.culver.wait_log(word)
    assert pair.culver.new_log().count("a line of complaint") <= 30
    for user in ("bob\0", "bob\0x"):
        assert pair.culver.auth().login(sasl.Script("LOGIN", user, "secret", first=False)).kind == "FAIL"
    assert pair.culver.auth().login(sasl.Script("LOGIN", "bob", "secret\0x", first=False)).kind == "FAIL"
    assert pair.culver.auth().login(sasl.Plain("bob", "secret")).kind == "OK"


def test_many_at_once():
    pair = mirror("auth_worker_max_count = 4")
    client = pair.culver.new_auth()
    ids = [client.start(sasl.Plain(f"user{number}", "secret" if number % 3 else "wrong")) for number in range(60)]
    for number, id in enumerate(ids):
        reply = client.finish(sasl.Plain("", ""), id)
        assert reply.kind == ("OK" if number % 3 else "FAIL") and reply.get("user") == f"user{number}", (number, reply)
        assert reply.get("code") is None, reply


def test_helpers_that_are_killed_are_replaced():
    pair = mirror()
    assert pair.culver.auth().login(sasl.Plain("bob", "secret")).kind == "OK"
    supervisor = next(pid for pid in pids_called("auth-helpers") if pid in children(pair.culver.auth_pids()[0]))
    helpers = [pid for pid in pids_called("auth-program") if pid in children(supervisor)]
    assert helpers
    for pid in helpers:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(is_alive(pid) for pid in helpers), "the helpers are gone")
    assert pair.culver.auth().login(sasl.Plain("bob", "secret")).kind == "OK"


def test_a_program_that_hangs_is_ended_with_its_children():
    hanging, client, id = state["hanging"], state["hanging client"], state["hanging login"]
    reply = client.finish(sasl.Plain("", ""), id)
    assert reply.kind == "FAIL" and reply.get("code") == "temp_fail", reply
    assert time.monotonic() - state["hanging since"] > 55
    wait_for(lambda: not is_alive(state["hanging child"]), "the child of the program is ended")
    hanging.wait_log(r"checkpassword\(sleep-300\): Child \d+ took too long and was killed")
    assert hanging.auth().login(sasl.Plain("bob", "secret")).kind == "OK"
    hanging.stop()


def test_every_accepted_difference_is_real():
    assert not state["pair"].unused(), state["pair"].unused()


CLEANUP = [lambda: state["pair"].stop(), lambda: state["hanging"].stop()]

if __name__ == "__main__":
    case.main(globals())
