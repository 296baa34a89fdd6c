#!/usr/bin/env python3
"""doveadm auth, user and pw beside Debian's: the same command to both, equal standard output and exit code.

What differs on purpose is in ACCEPTED, each with its reason; standard error is compared where scripts look for it.
"""

import os
import pty
import random
import re
import select
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private
from harness.authpair import Accepted, Pair
from harness.server import wait_for

ACCEPTED = {
    "socket": Accepted("a socket that nobody answers at is a temporary failure (75), not a wrong password (77) or a "
                       "success (0)"),
    "relative": Accepted("a relative path with -a is looked for in base_dir, not in the current directory"),
    "stray": Accepted("Dovecot's replies end in an empty field where it hides one, which its doveadm prints as an "
                      "empty line"),
    "expansion": Accepted("-e with an unknown variable prints an error; Dovecot's exit code says success all the same"),
    "hours": Accepted("a number of rounds that would compute for hours is refused with the number that is possible"),
    "lookup": Accepted("a lookup is no login: allow_nets does not hide a user from LMTP and doveadm"),
    "table-padding": Accepted("a table's last column is not padded to the width of the terminal"),
}
CONFIG = """auth_mechanisms = plain login
auth_master_user_separator = *
passdb {
  driver = passwd-file
  args = /etc/pair/masters
  master = yes
  pass = yes
}
passdb {
  driver = passwd-file
  args = scheme=PLAIN /etc/pair/users
}
userdb {
  driver = passwd-file
  args = /etc/pair/users
}
mail_home = /home/%u
mail_location = maildir:~/Maildir
"""
USERS = """bob@example.test:secret:5000:5000::/home/bob::
ann:{PLAIN}x y:5001:5001::/home/ann::userdb_mail=maildir:~/M userdb_quota_rule=*:storage=1G foo=bar
nol:secret:5000:5000::/home/nol::nologin reason=Closed
nets:secret:5000:5000::/home/n::allow_nets=10.0.0.0/8
no-user:secret
"""
LONG = "abcdefghij" * 20
SCHEMES = ("SHA1 SSHA512 SCRAM-SHA-256 BLF-CRYPT PLAIN HMAC-MD5 OTP SHA512 SHA DES-CRYPT CRYPT SSHA MD5-CRYPT "
           "PLAIN-MD4 "
           "PLAIN-MD5 SCRAM-SHA-1 SHA512-CRYPT CLEAR CLEARTEXT ARGON2I ARGON2ID SSHA256 MD5 PBKDF2 SHA256 CRAM-MD5 "
           "PLAIN-TRUNC SHA256-CRYPT SMD5 DIGEST-MD5 LDAP-MD5").split()
state = {"network": 0}


def test_start():
    private.install_file("/etc/pair/users", USERS)
    private.install_file("/etc/pair/masters", "boss:{PLAIN}master\n")
    state["pair"] = Pair(CONFIG)
    state["pair"].ACCEPTED = ACCEPTED


def output(result):
    return result[:2]


def same(*args, accept=None, input=None, normalise=output):
    return state["pair"].doveadm(*args, accept=accept, input=input, normalise=normalise)


def address():
    """Another one for each attempt that fails: Dovecot holds the next one for seconds."""
    state["network"] += 1
    return ("-x", f"rip=127.{state['network'] // 250}.{state['network'] % 250}.1")


def test_auth_test():
    with state["pair"].together():
        for args in (("bob@example.test", "secret"), ("bob@example.test", "wrong"), ("BOB@example.test", "secret"),
                     ("nobody", "secret"), ("ann", "x y"), ("nol", "secret"), ("", "secret"), ("a b", "secret"),
                     ("-x", "service=imap", "-x", "lip=1.2.3.4", "bob@example.test", "secret"),
                     ("-x", "nonsense=1", "bob@example.test", "secret"), ("-x", "service=smtp", "ann", "x y"),
                     ("-M", "boss", "bob@example.test", "master"), ("-M", "boss", "bob@example.test", "wrong"),
                     ("-M", "nobody", "bob@example.test", "wrong"), ("bob@example.test*boss", "master"), (),
                     ("bob@example.test", "a", "b")):
            same("auth", "test", *address(), *args)
        same("auth", "test", "-x", "rip=11.1.1.1", "nets", "secret")
        same("auth", "test", "-x", "rip=10.1.1.1", "nets", "secret", accept="stray")
        same("auth", "test", "-a", "/nonexistent", "bob@example.test", "secret", accept="socket")
        same("auth", "test", "-a", "auth-client", "bob@example.test", "secret", accept="relative")


def test_errors_of_options_are_worded_alike():
    with state["pair"].together():
        for args in (("auth", "test", "-q"), ("auth", "test", "-x", "rip=nonsense", "bob@example.test", "secret"),
                     ("auth", "test", "-x", "lip=here", "bob@example.test", "secret"),
                     ("auth", "test", "-x", "lport=nonsense", "bob@example.test", "secret"),
                     ("auth", "test", "-x", "rport=65536", "bob@example.test", "secret"),
                     ("auth", "test", "bob@example.test", "a", "b"), ("auth", "test"), ("auth", "login"),
                     ("auth", "lookup"),
                     ("auth", "lookup", "-x", "rip=x", "ann"), ("user", "-x", "rip=x", "ann"), ("user",),
                     ("user", "-q", "ann"),
                     ("pw", "-x"), ("pw", "extra"), ("pw", "-s", "FOO", "-p", "x"),
                     ("pw", "-r", "999999999999", "-p", "x"),
                     ("pw", "-t", "{PLAIN}secret", "-p", "wrong"), ("pw", "-t", "secret"),
                     ("pw", "-t", "{FOO}x", "-p", "x"),
                     ("pw", "-t", "{SHA256}bad", "-p", "x"), ("pw", "-s", "DIGEST-MD5", "-p", "x"),
                     ("pw", "-t", "{PLAIN-TRUNC}secret", "-p", "secret"),
                     ("pw", "-s", "ARGON2I", "-r", "1", "-p", "x")):
            same(*args, normalise=None)


def test_passwords_from_standard_input():
    with state["pair"].together():
        same("auth", "test", *address(), "bob@example.test", input="secret\n")
        same("auth", "test", *address(), "bob@example.test", input="")
        same("auth", "login", *address(), "bob@example.test", input="secret\n")
        for text in ("secret\nsecret\n", "secret\n", "", "secret\nsecret", "a\nb\nc\nc\n", "pässwörd\npässwörd\n"):
            same("pw", "-s", "PLAIN", input=text, normalise=None)
        same("pw", "-t", "{PLAIN}secret", input="secret\n")
        same("pw", "-t", "{PLAIN}secret", input="wrong\n", normalise=None)
        same("pw", "-t", "{PLAIN}", input="")


def test_auth_login():
    with state["pair"].together():
        for args in (("bob@example.test", "secret"), ("bob@example.test", "wrong"), ("ann", "x y"), ("nol", "secret"),
                     ("no-user", "secret"), ("-x", "service=imap", "bob@example.test", "secret"), (),
                     ("-m", "/nonexistent", "bob@example.test", "secret"), ("bob@example.test", "a", "b")):
            same("auth", "login", *address(), *args)
        same("auth", "login", "-a", "/nonexistent", "bob@example.test", "secret", accept="socket")
        same("auth", "login", *address(), "-M", "boss", "bob@example.test", "master")


def test_auth_lookup():
    with state["pair"].together():
        for args in (("bob@example.test",), ("BOB@example.test", "ann", "nobody"), ("nobody",), ("-f", "foo", "ann"),
                     ("-f", "user", "ann"), ("-f", "nofield", "ann"), ("nol",), (), ("",), ("a b",), ("nobody", "ann"),
                     ("-f", "foo", "ann", "bob@example.test"), ("-a", "/nonexistent", "bob@example.test")):
            same("auth", "lookup", *args)
        same("auth", "lookup", "-x", "rip=11.1.1.1", "nets", accept="lookup")
        same("auth", "lookup", "nets", accept="lookup")
        same("auth", "lookup", "-x", "rip=10.1.1.1", "nets", accept="stray")


def test_auth_cache_flush():
    with state["pair"].together():
        same("auth", "cache", "flush")
        same("auth", "cache", "flush", "bob@example.test", "ann")
        same("auth", "cache", "flush", "-a", "/nonexistent", accept="socket")


def test_user():
    with state["pair"].together():
        for args in (("bob@example.test",), ("ann",), ("BOB@example.test",), ("ann", "bob@example.test"),
                     ("ann", "nobody"),
                     ("nobody",), ("nobody", "ann"), ("nobody", "nobody2"), ("no-user",), ("",), ("*",), ("a*",),
                     ("zz*",),
                     ("?nn", "bob@example.test"), ("ann", "b*"), ("A*",), ("-f", "home", "ann"), ("-f", "mail", "ann"),
                     ("-f", "nofield", "ann"), ("-f", "home", "nobody"), ("-f", "home", "ann", "bob@example.test"),
                     ("-f", "home", "a*"), ("-e", "%h %u", "ann"), ("-e", "%h", "-e", "%u", "ann"),
                     ("-e", "%Lh", "ann"),
                     ("-e", "%{uid}:%{gid}:%d:%n", "ann", "bob@example.test"), ("-e", "%h", "nobody"), ("-u", "ann"),
                     ("-u", "nobody"), ("-u", "ann", "nobody", "bob@example.test"), ("-u", "-f", "home", "ann"),
                     ("-u", "-f", "nofield", "ann"), ("-u", "*"), ("-x", "service=imap", "ann"),
                     ("-x", "rip=1.1.1.1", "-e", "%{rip} %s", "ann"), ("-a", "/nonexistent", "ann")):
            same("user", *args)
        same("user", "-e", "%h %{quota_rule}", "ann", accept="expansion")
        same("user", "-a", "auth-userdb", "ann", accept="relative")


def test_user_in_each_format():
    with state["pair"].together():
        for format in ("flow", "pager", "tab", "json"):
            for names in (("ann",), ("ann", "bob@example.test"), ("nobody",)):
                same("-f", format, "user", *names)
        same("-f", "table", "user", "ann", accept="table-padding")
        same("-f", "table", "user", "ann", "bob@example.test",
             normalise=lambda result: (result[0], [line.rstrip() for line in result[1].splitlines()]))


def doveadm(peer, *args, input=None):
    result = peer.doveadm(*args, input=input)
    return result.returncode, result.stdout, result.stderr


def shape(result):
    """A hash without its salt and digest: its scheme and its length."""
    code, text, _ = result
    if code != 0:
        return result
    scheme, rest = text.split("}", 1)
    verified = " (verified)" if rest.endswith(" (verified)\n") else ""
    data = rest.rstrip("\n").removesuffix(verified)
    return code, scheme, len(data), re.match(r"(\$[^$]*\$)?([^$,]*,)?", data).group(0) if "CRYPT" in scheme else "", verified


def test_pw_lists_the_same_schemes():
    same("pw", "-l", normalise=lambda result: (result[0], sorted(result[1].split())))
    assert sorted(state["pair"].culver.doveadm("pw", "-l").stdout.split()) >= sorted(SCHEMES)


def passwords(generator):
    alphabet = [chr(c) for c in range(32, 127)] + list("äöüß€ñ漢字")
    yield ""
    yield LONG
    yield "".join(generator.choice(alphabet) for _ in range(generator.randrange(1, 60)))


def test_each_one_s_hashes_are_right_for_the_other():
    """Every scheme, with random passwords; the seed is in the message."""
    seed = int(time.time())
    generator = random.Random(seed)
    theirs, ours = state["pair"].peers
    for scheme in SCHEMES:
        for password in passwords(generator):
            if password == LONG and scheme.startswith("ARGON2"):
                continue
            for maker, judge in ((theirs, ours), (ours, theirs)):
                what = (seed, scheme, password, maker.name)
                code, made, error = doveadm(maker, "pw", "-s", scheme, "-u", "user@example.test", "-p", password)
                assert code == 0, (what, error)
                made = made.rstrip("\n")
                if scheme == "PLAIN-TRUNC":
                    made = made.replace("}", f"}}{len(password.encode())}-", 1)
                code, text, error = doveadm(judge, "pw", "-u", "user@example.test", "-t", made, "-p", password)
                assert (code, text) == (0, made + " (verified)\n"), (what, made, code, text, error)
                if scheme == "PLAIN-TRUNC" and password == "":
                    continue  # "0-": everything begins with nothing
                code, text, error = doveadm(judge, "pw", "-u", "user@example.test", "-t", made, "-p", "wrong"
                                            + password[:5])
                assert code == 75 and "Password mismatch" in error, (what, made, code, text, error)


def test_encodings_and_rounds():
    with state["pair"].together():
        for scheme in ("PLAIN.HEX", "PLAIN.B64", "PLAIN.BASE64", "SHA.HEX", "SHA256.HEX", "CRAM-MD5.B64",
                       "LDAP-MD5.HEX",
                       "PLAIN-MD5.B64", "plain", "Sha256", "CLEAR", "HMAC-MD5"):
            same("pw", "-s", scheme, "-p", "secret", normalise=None)
        for scheme in ("SSHA.HEX", "SHA512-CRYPT.B64", "SSHA512", "CRYPT", "MD5", "MD5-CRYPT", "DES-CRYPT", "BLF-CRYPT",
                       "SHA256-CRYPT", "SCRAM-SHA-1", "SMD5"):
            same("pw", "-s", scheme, "-p", "secret", normalise=shape)
            same("pw", "-V", "-s", scheme, "-p", "secret", normalise=shape)
        for scheme, rounds in (("SHA512-CRYPT", 100), ("SHA512-CRYPT", 6000), ("BLF-CRYPT", 3), ("BLF-CRYPT", 6),
                               ("PLAIN", 7),
                               ("PBKDF2", 100), ("SCRAM-SHA-256", 100), ("SHA256-CRYPT", 0), ("ARGON2ID", 2)):
            same("pw", "-s", scheme, "-r", str(rounds), "-p", "secret", normalise=shape)
        same("pw", "-p", "secret", normalise=shape)
        for user in ("foo", "foo@bar"):
            same("pw", "-s", "DIGEST-MD5", "-u", user, "-p", "secret", normalise=None)
        for stored in ("{PLAIN}secret", "{plain}secret",
                       "{SHA256.HEX}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97b"
                       "f527a25b", "{PLAIN-TRUNC}6-secret", "{PLAIN-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", "{CRYPT}", "{PLAIN}",
                       "{MD5}5ebe2294ecd0e0f08eab7690d2a6ee69", "{SHA}x", "{}secret", "{PLAIN.B64}c2VjcmV0",
                       "{PLAIN.XYZ}a"):
            same("pw", "-t", stored, "-p", "secret")
    code, _, error = doveadm(state["pair"].culver, "pw", "-s", "BLF-CRYPT", "-r", "40", "-p", "x")
    assert code == 75 and "at most" in error, "Dovecot computes for hours"
    state["pair"].used["hours"] = 1


def on_terminal(program, args, answers):
    """Runs a command on a terminal and answers its prompts; (exit code, everything on the terminal)."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(program, [program, *args])
    seen, waiting = b"", list(answers)
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            block = os.read(terminal, 65536)
        except OSError:
            break
        if not block:
            break
        seen += block
        if seen.endswith(b": ") and waiting:
            # What comes before the echo is off would be shown, or thrown away.
            wait_for(lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO, "the terminal's echo is off")
            os.write(terminal, waiting.pop(0).encode() + b"\n")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode()


def test_prompts_on_a_terminal():
    pair = state["pair"]
    with pair.together():
        for args, answers in ((("pw", "-s", "PLAIN"), ("secret", "secret")),
                              (("pw", "-s", "PLAIN"), ("secret", "other", "third", "third")),
                              (("pw", "-s", "PLAIN.B64"), ("pässwörd", "pässwörd")),
                              (("pw", "-t", "{PLAIN}secret"), ("secret",)),
                              (("pw", "-t", "{PLAIN}secret"), ("wrong",)), (("pw", "-s", "PLAIN"), ("", "")),
                              (("auth", "test", *address(), "bob@example.test"), ("secret",)),
                              (("auth", "test", *address(), "bob@example.test"), ("wrong",)),
                              (("auth", "login", *address(), "bob@example.test"), ("secret",))):
            pair.compare(f"on a terminal: {args} {answers}",
                         lambda peer: on_terminal(peer.doveadm_program, ["doveadm", "-c", peer.config_path, *args][1:],
                                                  answers))


def test_every_accepted_difference_is_real():
    assert not state["pair"].unused(), state["pair"].unused()


CLEANUP = [lambda: state["pair"].stop()]
if __name__ == "__main__":
    case.main(globals())
