#!/usr/bin/env python3
"""passwd-file in all its shapes, the static and prefetch databases, every mechanism. The same logins and lookups go
to Debian's Dovecot and to Culver, and the replies must be equal field by field. What is meant to differ:
tests/harness/authrules.py."""

import hashlib
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, sasl
from harness.authrules import (ALL, EVERY, USERS, all_met, database, files, probe, row, start, state,
                               stop)

# Each shape of line. @…@ is filled in below.
LINES = r"""
# a comment
#commented:{PLAIN}secret

plain1:{PLAIN}secret
u1:{PLAIN}secret:5000:5000::/home/u1::
u2:{PLAIN}secret::::::
onlyname
emptypw:
emptypw2::5000:5000::/home/x::
bang:!secret:5000:5000::/h::
star:*:5000:5000::/h::
x:x:5000:5000::/h::
  blank:{PLAIN}secret:5000:5000::/h::
trail :{PLAIN}secret:5000:5000::/h::
UPPER:{PLAIN}secret:5000:5000::/h::
dup:{PLAIN}secret:5000:5000::/h1::
dup:{PLAIN}other:5001:5001::/h2::
colon:{PLAIN}sec:ret:5000:5000::/h::
colon2:{PLAIN}sec:ret
b64:{PLAIN.B64}c2VjcmV0:5000:5000::/h::
des:{CRYPT}Tcn.SwYGdv5Vo:5000:5000::/h::
bare-des:Tcn.SwYGdv5Vo:5000:5000::/h::
bare-md5c:$1$UIXmQ2fN$fGdaxfEfSXDYm9lHbfgBI.:5000:5000::/h::
bare-plain:secret:5000:5000::/h::
bare-hex:5ebe2294ecd0e0f08eab7690d2a6ee69:5000:5000::/h::
pwd13:Tcn.SwYGdv5Vo[13]:5000:5000::/h::
pwd34:5ebe2294ecd0e0f08eab7690d2a6ee69[34]:5000:5000::/h::
pwd56:@pwd56@[56]:5000:5000::/h::
pwd99:secret[99]:5000:5000::/h::
pwdopen:secret[34:5000:5000::/h::
uidname:{PLAIN}secret:vmail:vmail::/h::
uidbad:{PLAIN}secret:nosuch:5000::/h::
gidbad:{PLAIN}secret:5000:nosuch::/h::
uid0:{PLAIN}secret:0:5000::/h::
gid0:{PLAIN}secret:5000:0::/h::
uidneg:{PLAIN}secret:-1:5000::/h::
uidbig:{PLAIN}secret:4294967296:5000::/h::
uid05:{PLAIN}secret:05000:5000::/h::
uidroot:{PLAIN}secret:root:root::/h::
threefields:{PLAIN}secret:5000
fourfields:{PLAIN}secret:5000:5000
fivefields:{PLAIN}secret:5000:5000:gecos
sixfields:{PLAIN}secret:5000:5000:gecos:/home/six
sevenfields:{PLAIN}secret:5000:5000:gecos:/home/seven:/bin/sh
nohome:{PLAIN}secret:5000:5000:::: userdb_mail=maildir:/x
oldmail:{PLAIN}secret:5000:5000::/h:/bin/sh::maildir:/var/%u
oldmail2:{PLAIN}secret:5000:5000::/h:::mbox:~/mail:x=y
extra1:{PLAIN}secret:5000:5000::/h::foo=bar baz userdb_quota_rule=*:storage=1G userdb_flag
extra2:{PLAIN}secret:5000:5000::/h::  foo=bar   userdb_mail=maildir:~/Maildir	tabbed=yes  
extra3:{PLAIN}secret:5000:5000::/h::foo=%u@%d userdb_home=/mail/%n userdb_uid=6000 userdb_gid=6001
extra4:{PLAIN}secret:5000:5000::/h::foo= bar=%{session} userdb_x= userdb_y=%{session} userdb_z
extra6:{PLAIN}secret:5000:5000::/h::nologin
extra7:{PLAIN}secret:5000:5000::/h::nologin=yes reason=Account=20disabled
extra8:{PLAIN}secret:5000:5000::/h::nopassword
extra9::5000:5000::/h::nopassword
extra9b::5000:5000::/h::nopassword=y userdb_x=1
extra10:{PLAIN}secret:5000:5000::/h::user=other
extra10b:{PLAIN}secret:5000:5000::/h::user=other@example.test foo=%u userdb_x=%u
extra11:{PLAIN}secret:5000:5000::/h::nodelay
extra12:{PLAIN}secret:5000:5000::/h::proxy host=10.1.2.3 port=143 ssl=yes pass=x
extra13:{PLAIN}secret:5000:5000::/h::proxy=y host=10.1.2.3 destuser=them nologin
extra14:{PLAIN}secret:5000:5000::/h::proxy_maybe host=10.1.2.3
extra14b:{PLAIN}secret:5000:5000::/h::proxy=n
extra15:{PLAIN}secret:5000:5000::/h::host=10.1.2.3 nologin=y
extra16:{PLAIN}secret:5000:5000::/h::login_user=other
extra17:{PLAIN}secret:5000:5000::/h::userdb_user=other2 userdb_foo
extra19:{PLAIN}secret:5000:5000::/h::password=hidden pass=shown secret=x
extra20:{PLAIN}secret:5000:5000::/h::username=renamed
extra21:{PLAIN}secret:5000:5000::/h::domain=ren.test
extra22@dom.test:{PLAIN}secret:5000:5000::/h::domain=ren.test
extra23@dom.test:{PLAIN}secret:5000:5000::/h::username=renamed
extra24:{PLAIN}secret:5000:5000::/h::noauthenticate
extra25:{PLAIN}secret:5000:5000::/h::delay_until=0
extra26:{PLAIN}secret:5000:5000::/h::fail
extra27:{PLAIN}secret:5000:5000::/h::deny
extra28:{PLAIN}secret:5000:5000::/h::reason=why%20not foo=a%%b
extra29:{PLAIN}secret:5000:5000::/h::foo=one foo=two
extra30:{PLAIN}secret:5000:5000::/h::original_user=fake auth_user=fake code=fake
extra31:{PLAIN}secret:5000:5000::/h::userdb_quota_rule=a userdb_quota_rule=b
extra32:{PLAIN}secret:5000:5000::/h::forward_x=1 event_y=2 anonymous auth_z=3
extra33:{PLAIN}secret:5000:5000::/h::foo=%{nosuch} bar=%z
extra34:{PLAIN}secret:5000:5000::/h%u/%%x::foo=%L{user} bar=%Mu baz=%4.3Ru rip=%r mech=%m k==v a=b=c
unknownscheme:{NOSUCH}secret:5000:5000::/h::
badb64:{PLAIN.B64}***:5000:5000::/h::
badhex:{PLAIN.HEX}zz:5000:5000::/h::
badenc:{PLAIN.FOO}secret:5000:5000::/h::
unclosed:{PLAINsecret:5000:5000::/h::
lower:{plain}secret:5000:5000::/h::
spaces:{PLAIN}two words:5000:5000::/h::
emptyplain:{PLAIN}:5000:5000::/h::
at@dom.test:{PLAIN}secret:5000:5000::/h::
at@dom.test@more.test:{PLAIN}secret:5000:5000::/home/%n/%d::
trunc:{PLAIN-TRUNC}6-secret:5000:5000::/h::
dig:{DIGEST-MD5}@dig@:5000:5000::/h::
cram:{CRAM-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56:5000:5000::/h::
crlf:{PLAIN}secret:5000:5000::/h::foo=bar@CR@
crlf2:{PLAIN}secret@CR@
:{PLAIN}secret:5000:5000::/h::
::::::::
pässwörd:{PLAIN}secret:5000:5000::/h::
last:{PLAIN}secret:5000:5000::/h::
""".lstrip("\n").replace("@CR@", "\r")
NAMES_IN_LINES = sorted({line.split(":")[0].strip("\r") for line in LINES.split("\n")}
                        | {"nobody", "commented", "blank", "trail", "upper", "DUP"})


def digest(user, realm, password):
    return hashlib.md5(f"{user}:{realm}:{password}".encode()).hexdigest()


def test_start():
    private.add_user("vmail", uid=5000, home="/var/vmail")
    text = LINES.replace("@dig@", digest("dig", "", "secret")).replace("@pwd56@", digest("pwd56", "", "secret"))
    private.install_file(USERS, text)
    start(ALL + "auth_username_chars =\n" + files(), (
        "fields-of-the-refused", "empty-password-scram", "empty-password", "flags-in-pass", "networks-and-lookups",
        "last-line",
        "dovecot-dies", "bad-hash-of-a-known-user", "name-of-the-refused-master"))


def test_every_line_of_a_passwd_file_by_every_mechanism():
    pair = state["pair"]
    with pair.together():
        for mechanism in EVERY:
            pair.logins([row(mechanism, user, password) for user in NAMES_IN_LINES for password in ("secret", "wrong")])


def test_every_line_of_a_passwd_file_by_lookup():
    pair = state["pair"]
    with pair.together():
        for user in NAMES_IN_LINES:
            pair.user(user)
            pair.passdb(user)
        pair.list()


def test_a_file_that_only_serves_a_passdb():
    """uid and gid are not looked at then."""
    pair = start(ALL + database("passdb", "passwd-file", "scheme=PLAIN " + USERS)
                 + database("userdb", "static", "uid=5000 gid=5000 home=/h/%u"))
    unreadable = ("badb64", "badhex", "badenc", "unknownscheme")
    with pair.together():
        probe([name for name in NAMES_IN_LINES if not name.startswith(("extra", *unreadable))], ("secret", "other"))
        for name in unreadable:
            pair.user(name, accept="bad-hash-of-a-known-user")


def test_networks_empty_passwords_and_odd_ends():
    private.install_file(USERS, "nets:{PLAIN}secret:5000:5000::/h::allow_nets=10.0.0.0/8,::1/128 foo=bar\n"
                         "local:{PLAIN}secret:5000:5000::/h::allow_nets=local\n"
                         "none:{PLAIN}secret:5000:5000::/h::allow_nets=\n"
                         "bad:{PLAIN}secret:5000:5000::/h::allow_nets=bad/99,10.0.0.0/8\n"
                         "empty:{PLAIN}:5000:5000::/h::\nfree::5000:5000::/h::nopassword\n"
                         "deadly:{PLAIN}secret:5000:5000::/h::userdb_=y =x\nlast:{PLAIN}secret:5000:5000::/h::")
    pair = start(ALL + files())
    with pair.together():
        for address in ("rip=10.1.2.3", "rip=1.1.2.3", "rip=::1", "rip=::2", "rip=nonsense", "x"):
            pair.logins([(row(mechanism, user, password)[0], {"initial": mechanism is sasl.Plain})
                         for user in ("nets", "local", "none", "bad") for password in ("secret", "wrong")
                         for mechanism in (sasl.Plain, sasl.CramMd5)],
                        f"service=smtp\tlip=127.0.0.1\tno-penalty\t{address}")
        for user, accept in (("nets", True), ("local", False), ("none", True), ("bad", True)):
            pair.user(user)
            pair.passdb(user, accept="networks-and-lookups" if accept else None)
        pair.logins([row(sasl.Plain, "last", "secret"), row(sasl.Plain, "empty", ""),
                     row(sasl.CramMd5, "empty", "", accept="empty-password"),
                     row(sasl.DigestMd5, "empty", "", accept="empty-password"),
                     row(sasl.ScramSha1, "empty", "", accept="empty-password"),
                     row(sasl.Plain, "free", "anything"), row(sasl.Plain, "free", ""),
                     row(sasl.CramMd5, "free", "anything"), row(sasl.ScramSha1, "free", "anything")])
        pair.list(accept="last-line")
        pair.login(sasl.Plain("deadly", "secret"), accept="dovecot-dies")


def test_arguments_of_passwd_file():
    """username_format, scheme, a file for each domain; and the file is read again when it has changed."""
    private.install_file(USERS, "bob:secret:5000:5000::/home/bob::foo=%d\nbob@ex.test:other:5000:5000::/home/full::\n")
    for domain in ("ex.test", "other.test"):
        private.install_file(f"/etc/pair/{domain}/users", f"bob:{{PLAIN}}{domain}:5000:5000::/{domain}::\n"
                             f"bob@{domain}:{{PLAIN}}full:5000:5000::/full/{domain}::\n")
    names = ["bob", "BOB", "bob@ex.test", "bob@EX.test", "bob@other.test", "bob@nope.test", "bob@", "bob@.", "bob@..",
             "bob@../pair", "@ex.test"]
    for scheme, args in (("scheme=PLAIN ", USERS), ("scheme=plain ", f"username_format=%n {USERS}"),
                         ("scheme=PLAIN-MD5 ", f"username_format=%u {USERS}"), ("", f"username_format=%Un {USERS}"),
                         ("scheme=PLAIN ", f"username_format=bob {USERS}"), ("", "/etc/pair/%d/users"),
                         ("", "username_format=%n /etc/pair/%d/users"), ("", "/etc/pair/%Ld/users")):
        pair = start(ALL + "auth_username_format = %u\nauth_username_chars =\n" + database(
            "passdb", "passwd-file", scheme + args) + database("userdb", "passwd-file", args))
        with pair.together():
            probe(names, ("secret", "other", "ex.test", "other.test", "full"), (sasl.Plain, sasl.CramMd5),
                  "%" not in args.split()[-1])


def test_a_changed_file_is_read_again():
    private.install_file(USERS, "bob:{PLAIN}first:5000:5000::/one::\n")
    pair = start(ALL + files())
    for text in ("bob:{PLAIN}second:5000:5000::/two::\n", "ann:{PLAIN}first:5000:5000::/ann::\n",
                 "bob:{PLAIN}first:5000:5000::/one::\nann:{PLAIN}first:5000:5000::/ann::\n"):
        probe(["bob", "ann"], ("first", "second"))
        time.sleep(1.05)  # Dovecot looks at whole seconds
        private.install_file(USERS, text)
    probe(["bob", "ann"], ("first", "second"))
    assert pair.login(sasl.Plain("ann", "first")).kind == "OK"


def test_passdb_static():
    for args in ("password=secret", "password={PLAIN}secret", "nopassword", "nopassword=y user=%n@fixed.test",
                 "password=%u",
                 "password={SHA256.HEX}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b nodelay",
                 "password=secret user=%Lu foo=%d bar host=1.2.3.4", "scheme=PLAIN password=secret"):
        pair = start(ALL + database("passdb", "static", args) + database(
            "userdb", "static", "uid=vmail gid=5000 home=/var/vmail/%d/%n foo=%u bar q=%%x"))
        with pair.together():
            probe(["bob", "Bob@Ex.Test", "b@x@y", "%u"], ("secret", "wrong", "", "bob", "%u"))


def test_userdb_static():
    private.install_file(USERS, "bob:{PLAIN}secret\nann:{PLAIN}x::::::user=changed userdb_foo=bar\n")
    for args in ("uid=vmail gid=vmail home=/h/%u allow_all_users=yes", "home=/h/%u", "uid=0 gid=0 home=/h",
                 "uid=5000 gid=5000 home=/h quota_rule=*:storage=1G mail=maildir:/x/%n"):
        pair = start(ALL + database("passdb", "passwd-file", USERS) + database("userdb", "static", args))
        with pair.together():
            probe(["bob", "ann", "nobody"], ("secret", "x"))


def test_userdb_prefetch():
    private.install_file(USERS, "bob:{PLAIN}secret:1:1::/wrong::userdb_uid=5000 userdb_gid=5001 userdb_home=/pre/%n "
                                "userdb_q=1\n"
                         "ann:{PLAIN}x:5000:5000::/file::\n")
    pair = start(ALL + database("passdb", "passwd-file", USERS) + database("userdb", "prefetch")
                 + database("userdb", "passwd-file", USERS))
    with pair.together():
        probe(["bob", "ann", "nobody"], ("secret", "x"))
        for user, password in (("bob", "secret"), ("ann", "x")):
            def hand_over(peer):
                client = peer.new_auth("auth-login")
                id = client.start(sasl.Plain(user, password))
                return [client.reply(id), peer.master().request(client, id)]
            pair.compare(f"REQUEST of {user}", hand_over)


def test_every_accepted_difference_is_there():
    all_met()


CLEANUP = [stop]

if __name__ == "__main__":
    case.main(globals())
