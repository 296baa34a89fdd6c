#!/usr/bin/env python3
"""Each mechanism's messages, right, odd and broken, put to Debian's Dovecot and to Culver: the same challenges, the
same end. What is meant to differ stands in ACCEPTED."""

import base64
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, sasl
from harness.authpair import Accepted, Pair

CONFIG = """auth_mechanisms = plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256 external anonymous
auth_username_chars =
passdb {
  driver = passwd-file
  args = scheme=PLAIN /etc/pair/users
}
passdb {
  driver = passwd-file
  args = scheme=PLAIN /etc/pair/masters
  master = yes
}
userdb {
  driver = static
  args = uid=5000 gid=5000 home=/tmp
}
"""
USERS = "bob:secret\nbob@here.test:at-here\nbob@there.test:at-there\na,b=c:comma\nz\u00f6e:p\u00e4ss\u20ac\nq\"uo:quoted\n"


def refused_by_both(what, theirs, ours):
    return theirs.kind == ours.kind == "FAIL"


def stricter(*ends):
    return lambda what, theirs, ours: what.endswith(ends) and theirs.kind == "OK" and ours.kind == "FAIL"


ACCEPTED = {
    "refused-at-another-point": Accepted(
        "a broken message is refused as soon as it is known to be broken: Dovecot sometimes sends a challenge or "
        "reads the "
        "name before; nobody gets in either way", refused_by_both),
    "longer-digest": Accepted("CRAM-MD5: Dovecot compares the first 32 characters and ignores what follows",
                              stricter("with a long digest", "with a line end")),
    "quotes-in-names": Accepted(
        "Dovecot's passwd-file does not find a name with quotes or backslashes in it",
        lambda what, theirs, ours: "q\"uo" in what and theirs.kind == "FAIL" and ours.kind == "OK"),
    "nonce-count": Accepted("DIGEST-MD5 without nc: RFC 2831 wants it", stricter("with no nc")),
    "two-realms": Accepted("DIGEST-MD5 with two realms: RFC 2831 has the server abort", stricter("with two realms")),
}
state = {}


class Spoilt(sasl.Mechanism):
    """A right client whose messages are changed on the way: change(number of the message, bytes) -> bytes."""

    def __init__(self, client, what, change):
        super().__init__(client.user)
        self.client, self.what, self.change, self.name = client, what, change, client.name
        self.number = 0

    def initial(self):
        self.number = 0
        first = self.client.initial()
        return None if first is None else self.say(first)

    def respond(self, challenge):
        return self.say(self.client.respond(challenge))

    def say(self, message):
        self.number += 1
        return self.change(self.number, message)

    def shape(self, challenge):
        return self.client.shape(challenge)

    def __repr__(self):
        return f"{self.name} with {self.what}"


def replaced(number, old, new):
    return lambda at, message: re.sub(old, new, message) if at == number else message


def whole(number, new):
    return lambda at, message: new if at == number else message


def row(client, accept=None):
    return client, {"accept": accept, "initial": client.name in ("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "EXTERNAL",
                                                                 "ANONYMOUS")}


def rows(make, changes):
    """Each: (what, change[, name in ACCEPTED])"""
    return [row(Spoilt(make(), what, change), *accept) for what, change, *accept in changes]


def test_start():
    private.install_file("/etc/pair/users", USERS)
    private.install_file("/etc/pair/masters", "boss:top\n")
    Pair.ACCEPTED = ACCEPTED
    state["pair"] = Pair(CONFIG)


def test_scram():
    pair = state["pair"]
    with pair.together():
        for kind in (sasl.ScramSha1, sasl.ScramSha256):
            pair.logins([row(kind(user, password, authzid)) for user, password, authzid in (
                ("bob", "secret", ""), ("bob", "wrong", ""), ("a,b=c", "comma", ""),
                ("z\u00f6e", "p\u00e4ss\u20ac", ""),
                ('q"uo', "quoted", ""), ("bob", "secret", "bob"), ("bob", "secret", "bob@here.test"),
                ("boss", "top", "bob"),
                ("BOB", "secret", ""), ("bob@here.test", "at-here", ""))])
            pair.logins([row(kind("bob", "secret", gs2="y")),
                         row(kind("bob", "secret", gs2="p=tls-unique", binding=b"x"))])
            first = [
                ("no gs2 header", replaced(1, b"^n,,", b"")), ("another flag", replaced(1, b"^n", b"x")),
                ("an empty flag", replaced(1, b"^n", b"")), ("a flag in capitals", replaced(1, b"^n", b"N")),
                ("an authzid without a=", replaced(1, b"^n,,", b"n,x,")),
                ("an empty authzid", replaced(1, b"^n,,", b"n,a=,")),
                ("a mandatory extension", replaced(1, b"n=bob", b"m=x,n=bob")),
                ("no name", replaced(1, b"n=bob,", b"")),
                ("an empty name", replaced(1, b"n=bob", b"n=")),
                ("a name with an escape", replaced(1, b"n=bob", b"n=b=6Fb")),
                ("a name with a bare =", replaced(1, b"n=bob", b"n=bob=")),
                ("a small escape", replaced(1, b"n=bob", b"n=b=2cb")),
                ("a NUL in the name", replaced(1, b"n=bob", b"n=bob\0x")),
                ("an empty nonce", replaced(1, b"r=.*", b"r=")),
                ("no nonce", replaced(1, b",r=.*", b"")), ("a nonce with a NUL", replaced(1, b"r=", b"r=\0")),
                ("a nonce with 8 bits", replaced(1, b"r=", b"r=\xff")), ("an extension", replaced(1, b"$", b",x=y")),
                ("an empty extension", replaced(1, b"$", b",")), ("nothing", whole(1, b"")),
                ("commas", whole(1, b",,,,")),
                ("one letter", whole(1, b"n")), ("8000 commas", whole(1, b"," * 8000)),
                ("two names", replaced(1, b"n=bob", b"n=bob,n=z"))]
            last = [
                ("nothing at last", whole(2, b"")), ("no c=", replaced(2, b"^c=[^,]*,", b"")),
                ("another header", replaced(2, b"^c=biws", b"c=eSws")),
                ("rubbish for a header", replaced(2, b"^c=biws", b"c=!!!!")),
                ("an empty header", replaced(2, b"^c=biws", b"c=")), ("another nonce", replaced(2, b"r=", b"r=x")),
                ("a shorter nonce", replaced(2, b",p=", b"X,p=")), ("no nonce at last", replaced(2, b",r=[^,]*", b"")),
                ("no proof", replaced(2, b",p=.*", b"")), ("an empty proof", replaced(2, b"p=.*", b"p=")),
                ("a short proof", replaced(2, b"p=.*", b"p=AAAA")),
                ("rubbish for a proof", replaced(2, b"p=.*", b"p=!!!!")),
                ("a proof of zeros", replaced(2, b"p=.*", b"p="
                                              + base64.b64encode(bytes(20 if kind is sasl.ScramSha1 else 32)))),
                ("a long proof", replaced(2, b"$", b"AAAA")),
                ("something behind the proof", replaced(2, b"$", b",x=y")),
                ("an answer to the proof", whole(3, b"x")), ("8000 bytes at last", whole(2, b"c" * 8000))]
            pair.logins(rows(lambda: kind("bob", "secret"), first + last))


def test_digest_md5():
    pair = state["pair"]
    with pair.together():
        pair.logins([row(sasl.DigestMd5(user, password, authzid)) for user, password, authzid in (
            ("bob", "secret", ""), ("bob", "wrong", ""), ("a,b=c", "comma", ""), ("z\u00f6e", "p\u00e4ss\u20ac", ""),
            ('q"uo', "quoted", ""), ("bob", "secret", "bob"), ("bob", "secret", "bob@here.test"),
            ("boss", "top", "bob"),
            ("BOB", "secret", ""))])
        pair.logins([row(sasl.DigestMd5("bob", "secret", qop=qop))
                     for qop in ("auth", "auth-int", "auth-conf", "", "AUTH")])
        pair.logins([row(sasl.DigestMd5("bob", "at-here", realm="here.test")),
                     row(sasl.DigestMd5("bob@here.test", "at-here")),
                     row(sasl.DigestMd5("bob", "secret", realm="nowhere.test"))])
        pair.logins(rows(lambda: sasl.DigestMd5("bob", "secret"), [
            ("another nonce", replaced(1, b'nonce="', b'nonce="x')),
            ("no nonce", replaced(1, b'(?<!c)nonce="[^"]*",', b"")),
            ("an empty cnonce", replaced(1, b'cnonce="[^"]*"', b'cnonce=""')),
            ("no cnonce", replaced(1, b'cnonce="[^"]*",', b"")),
            ("nc=2", replaced(1, b"nc=00000001", b"nc=00000002")), ("nc=1", replaced(1, b"nc=00000001", b"nc=1")),
            ("no nc", replaced(1, b"nc=00000001,", b"")), ("nc=00000000", replaced(1, b"nc=00000001", b"nc=00000000")),
            ("nc in quotes", replaced(1, b"nc=00000001", b'nc="00000001"')),
            ("a qop in quotes", replaced(1, b"qop=auth", b'qop="auth"')), ("no qop", replaced(1, b"qop=auth,", b"")),
            ("no name", replaced(1, b'username="bob",', b"")),
            ("an empty name", replaced(1, b'username="bob"', b'username=""')),
            ("a name without quotes", replaced(1, b'username="bob"', b"username=bob")),
            ("two names", replaced(1, b'username="bob"', b'username="bob",username="bob"')),
            ("a quote that is not closed", replaced(1, b'username="bob"', b'username="bob')),
            ("no realm", replaced(1, b'realm="[^"]*",', b"")),
            ("two realms", replaced(1, b'realm=""', b'realm="",realm=""')),
            ("no uri", replaced(1, b'digest-uri="[^"]*",', b"")),
            ("an empty uri", replaced(1, b'digest-uri="[^"]*"', b'digest-uri=""')),
            ("no response", replaced(1, b",response=[0-9a-f]*", b"")),
            ("a short response", replaced(1, b"response=[0-9a-f]*", b"response=00")),
            ("a response in capitals", lambda at,
             m: re.sub(b"response=([0-9a-f]*)", lambda x: b"response=" + x.group(1).upper(), m)),
            ("a response in quotes", replaced(1, b"response=([0-9a-f]*)", b'response="\\1"')),
            ("maxbuf", replaced(1, b"$", b",maxbuf=65536")),
            ("maxbuf twice", replaced(1, b"$", b",maxbuf=65536,maxbuf=1")),
            ("maxbuf=0", replaced(1, b"$", b",maxbuf=0")), ("maxbuf=x", replaced(1, b"$", b",maxbuf=x")),
            ("another charset", replaced(1, b"charset=utf-8", b"charset=latin1")),
            ("no charset", replaced(1, b",charset=utf-8", b"")),
            ("an unknown field", replaced(1, b"$", b",x=y")), ("a cipher", replaced(1, b"$", b",cipher=des")),
            ("blanks", replaced(1, b",(?=[a-z])", b", ")), ("a comma at the end", replaced(1, b"$", b",")),
            ("two commas", replaced(1, b",nc", b",,nc")), ("nothing", whole(1, b"")),
            ("rubbish", whole(1, b"x" * 1000)),
            ("a NUL in the name", replaced(1, b'username="bob"', b'username="bo\0b"')),
            ("an answer to rspauth", whole(2, b"x"))]))
        for realms in ("here.test", "here.test there.test"):
            pair.restart(CONFIG + f"auth_realms = {realms}\nauth_default_realm = here.test\n")
            pair.logins([row(sasl.DigestMd5(user, password, realm=realm)) for user, password, realm in (
                ("bob", "at-here", None), ("bob", "at-here", "here.test"), ("bob", "at-there", "there.test"),
                ("bob", "at-here", ""),
                ("bob", "secret", "nowhere.test"), ("bob@here.test", "at-here", "here.test"),
                ("bob@here.test", "at-here", ""),
                ("bob@there.test", "at-there", "here.test"))])
            pair.logins([row(kind("bob", "at-here")) for kind in (sasl.CramMd5, sasl.ScramSha256, sasl.Plain)])


def test_cram_md5():
    pair = state["pair"]
    pair.restart(CONFIG)
    with pair.together():
        pair.logins([row(sasl.CramMd5(user, password)) for user, password in (
            ("bob", "secret"), ("bob", "wrong"), ("a,b=c", "comma"), ("z\u00f6e", "p\u00e4ss\u20ac"),
            ("two words", "x"), ("BOB", "secret"))])
        pair.logins(rows(lambda: sasl.CramMd5("bob", "secret"), [
            ("nothing", whole(1, b"")), ("no digest", whole(1, b"bob")), ("a blank", whole(1, b" ")),
            ("an empty digest", whole(1, b"bob ")),
            ("no name", replaced(1, b"^bob", b"")), ("a short digest", replaced(1, b".$", b"")),
            ("a long digest", replaced(1, b"$", b"0")),
            ("capitals", lambda at, m: b"bob " + m[4:].upper()), ("two blanks", replaced(1, b" ", b"  ")),
            ("a NUL in the name", replaced(1, b"^bob", b"bo\0b")), ("a line end", replaced(1, b"$", b"\n")),
            ("no digits", whole(1, b"bob " + b"x" * 32)), ("8000 bytes", whole(1, b"x" * 8000))]))
        pair.login(sasl.Script("CRAM-MD5", b"bob 0123"), initial=True)


def test_plain_login_external_anonymous():
    pair = state["pair"]
    with pair.together():
        pair.logins([row(sasl.Script("PLAIN", message)) for message in (
            b"", b"\0", b"\0\0", b"\0\0\0", b"bob", b"\0bob", b"\0bob\0", b"\0bob\0secret", b"bob\0bob\0secret",
            b"other\0bob\0secret",
            b"bob\0boss\0top", b"\0\0secret", b"\0bob\0secret\0", b"\0bob\0secret\0x", b"\0bob\0sec\0ret",
            b"\0bob\0wrong", b"\0BOB\0secret",
            b"\0bob \0secret", b"\0 bob\0secret", b"\0" + b"x" * 250 + b"\0y", "\0z\u00f6e\0p\u00e4ss\u20ac".encode(),
            b"\0\xff\xfe\0x")])
        pair.logins([row(sasl.Script("LOGIN", *messages, first=False)) for messages in (
            (b"bob", b"secret"), (b"bob", b"wrong"), (b"", b""), (b"bob", b""), (b"b\0b", b"x"), (b"bob", b"sec\0ret"),
            (b"BOB", b"secret"))])
        pair.login(sasl.Script("LOGIN", b"bob", b"secret"))
        pair.logins([row(sasl.Script("EXTERNAL", message)) for message in (b"", b"bob", b"a\0b")])
        pair.logins([row(sasl.Script("ANONYMOUS", message)) for message in (b"", b"trace", b"a\0b")])
        for mechanism in ("PLAIN", "SCRAM-SHA-1", "EXTERNAL", "ANONYMOUS"):
            pair.login(sasl.Script(mechanism, b"", b""), initial=False)


def test_every_accepted_difference_is_real():
    unused = state["pair"].unused()
    assert not unused, unused


CLEANUP = [lambda: state["pair"].stop()]
if __name__ == "__main__":
    case.main(globals())
