#!/usr/bin/env python3
"""The rules by which databases are combined: many small configurations, each given to Debian's Dovecot and to Culver,
the same requests to both, and the answers must be equal field by field.

A case is a configuration and its requests. Both servers are started once for each case, several cases at a time.
ACCEPTED has the differences that are there on purpose; each must show, or this file fails.
PRINT=1 prints what both answer.
"""

import concurrent.futures
import copy
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import authpair, case, private, sasl
from harness.authclient import DEFAULT

AT_ONCE = 4
DIR = "/etc/pair"
FILES = {
    # the same user with the same password, with another, only here
    "a": """same:{PLAIN}pw:5001:5001::/home/a::fa=1 both=a userdb_xa=1 userdb_both=a
both:{PLAIN}one:5002:5002::/home/a::fa=1 userdb_xa=1
onlya:{PLAIN}pw:5003:5003::/home/a::fa=1 reason=from-a userdb_xa=1
renamed:{PLAIN}pw:5004:5004::/home/a::user=onlyb
nopass::5005:5005::/home/a::nopassword
noauth:{PLAIN}other:5006:5006::/home/a::noauthenticate fa=1 userdb_xa=1
quick:{PLAIN}pw:5007:5007::/home/a::nodelay
off:{PLAIN}pw:5008:5008::/home/a::nologin reason=moved
odd:{NOSUCH}pw:5009:5009::/home/a::
net:{PLAIN}pw:5010:5010::/home/a::allow_nets=192.0.2.0/24,2001:db8::/32
failing:{PLAIN}pw:5011:5011::/home/a::fail reason=because
""",
    "b": """same:{PLAIN}pw:6001:6001::/home/b::fb=2 both=b userdb_xb=2 userdb_both=b
both:{PLAIN}two:6002:6002::/home/b::fb=2 userdb_xb=2
onlyb:{PLAIN}pw:6003:6003::/home/b::fb=2 userdb_xb=2
noauth:{PLAIN}pw:6006:6006::/home/b::fb=2
nopass:{PLAIN}pw:6005:6005::/home/b::fb=2
""",
    "denied": "onlya:::::::\nsame:{PLAIN}other::::::\n",
    "masters": "boss:{PLAIN}bpw::::::fm=9 userdb_xm=9\nonlya:{PLAIN}mpw::::::\nsilent:{PLAIN}bpw::::::user=boss\n",
    "hashed": "scram:{SCRAM-SHA-1}4096,tQT4xZlxfE7pvTTMvgAYsA==,0vwmTwDwc9nDV4W8eHQU/TrGEmw=,"
              "vlJ4Tp2xJYNrNKPYX8yBT8BSjdA=:7001:7001::/home/h::\n"
              "plain:{PLAIN}pw:7002:7002::/home/h::fh=1\n"
              "crypt:{SHA256}MMlS+rEiw/lAbBMiLBqHRXfeBjj7oT/eWxKkalKsaVw=:7003:7003::/home/h::\n",
}
FIELDS = {
    "p1": "proxy host=192.0.2.9", "p2": "proxy_maybe host=127.0.0.1", "p3": "proxy_maybe host=192.0.2.9",
    "p4": "proxy=n host=192.0.2.9 port=143 pass=other", "p5": "proxy host=192.0.2.9 destuser=foo master=adm pass=mp "
    "proxy_timeout=30 proxy_mech=PLAIN ssl=any-cert starttls=yes proxy_not_trusted=y proxy_noauth nologin",
    "p6": "proxy host=localhost port=1143", "p7": "proxy host=ignored.test hostip=192.0.2.10", "p8": "proxy",
    "p9": "proxy host=nosuch.invalid", "q1": "proxy_maybe", "q2": "proxy_maybe host=127.0.0.1 port=143",
    "q3": "proxy_maybe host=127.0.0.1 port=144", "q4": "proxy_maybe host=127.0.0.1 destuser=q4 ssl=yes",
    "q5": "proxy_maybe host=127.0.0.1 destuser=other", "q6": "proxy_maybe host=localhost foo=bar",
    "q7": "proxy_always proxy host=192.0.2.9", "q8": "host=192.0.2.9 port=12 ssl=yes master=adm",
    "q9": "proxy_maybe host=192.0.2.1", "r1": "nodelay", "r2": "nologin=n", "r3": "reason=why nologin",
    "r5": "allow_nets=local", "r6": "allow_nets=10.0.0.0/8,local", "r7": "allow_nets=127.0.0.0/8",
    "r8": "allow_real_nets=127.0.0.0/8", "r9": "allow_real_nets=local", "s1": "fail", "s2": "fail=no",
    "s3": "login_user=p2x", "s4": "login_user=s4", "s5": "user=zed", "s6": "username=zed", "s7": "domain=ex.org",
    "s8": "event_foo=bar forward_x=1 foo=bar baz=", "t2": "delay_until=abc", "t3": "delay_until=1000000000",
    "t4": "delay_until=9999999999", "t5": "delay_until=1000000000+x", "t6": "pass_scheme=PLAIN",
    "t7": "foo=1 foo:protected=2 foo:remove bar:protected=3", "t8": "passdb_import=zz=1",
    "t9": "userdb_a=b userdb_userdb_import=k=v", "u1": "allow_nets=bad,127.0.0.1", "u2": "password=other",
    "u3": "proxy_maybe host=::1", "u4": "original_user=foo auth_user=bar code=zz temp", "u5": "user=p1 login_user=r3",
    "u6": "nologin proxy host=192.0.2.9", "u7": "auth_mech=x mech=y", "u8": "app=x%ux foo=%{orig_user}%{auth_user}",
}
FILES["fields"] = "".join(f"{name}:{{PLAIN}}pw:5001:5001::/home/f::{fields} userdb_m=1\n" for name,
                          fields in FIELDS.items())
MORE = os.environ.get("PRINT") == "1"


def passdb(file, *settings, driver="passwd-file"):
    return block("passdb", file, settings, driver)


def userdb(file, *settings, driver="passwd-file"):
    return block("userdb", file, settings, driver)


def block(kind, file, settings, driver):
    args = [f"args = {DIR}/{file}"] if driver == "passwd-file" else [f"args = {file}"] if file else []
    return f"{kind} {{\n" + "".join(f"  {line}\n" for line in [f"driver = {driver}", *args, *settings]) + "}\n"


def plain(user, password, params=DEFAULT, authzid=""):
    return ("login", sasl.Plain(user, password, authzid), params)


def user(name, params="service=imap"):
    return ("user", name, params)


def stored(name, params="service=imap"):
    return ("pass", name, params)


USUAL = [plain("same", "pw"), plain("same", "bad"), plain("both", "one"), plain("both", "two"), plain("both", "bad"),
         plain("onlya", "pw"), plain("onlya", "bad"), plain("onlyb", "pw"), plain("onlyb", "bad"),
         plain("nobody", "pw"), stored("same"), stored("onlya"), stored("onlyb"), stored("nobody"),
         user("same"), user("onlya"), user("onlyb"), user("nobody")]
RULES = ("return", "return-ok", "return-fail", "continue", "continue-ok", "continue-fail")

CASES = {}
for rule in RULES:
    CASES[f"result_success = {rule}"] = (
        passdb("a", f"result_success = {rule}") + passdb("b") +
        userdb("a", f"result_success = {rule}") + userdb("b"), USUAL)
    CASES[f"result_failure = {rule}"] = (
        passdb("a", f"result_failure = {rule}") + passdb("b") +
        userdb("a", f"result_failure = {rule}") + userdb("b"), USUAL)
    CASES[f"result_internalfail = {rule}"] = (
        passdb("closed", f"result_internalfail = {rule}") + passdb("b") +
        userdb("closed", f"result_internalfail = {rule}") + userdb("b"), USUAL)
    CASES[f"last: {rule}"] = (
        passdb("a") + passdb("b", f"result_success = {rule}", f"result_failure = {rule}") +
        userdb("a") + userdb("b", f"result_success = {rule}", f"result_failure = {rule}"), USUAL)


BOTH = passdb("a") + passdb("b") + userdb("a") + userdb("b")
HASHES = "auth_mechanisms = plain login cram-md5 scram-sha-1 digest-md5\n"
NET = "service=imap\tsecured\tno-penalty\trip="


def cram(name, password, params=DEFAULT):
    return ("login", sasl.CramMd5(name, password), params)


def scram(name, password, params=DEFAULT):
    return ("login", sasl.ScramSha1(name, password), params)


def login(name, password, params=DEFAULT):
    return ("login", sasl.Login(name, password), params)


for skip in ("authenticated", "unauthenticated"):
    for first in ("continue", "continue-ok", "return-ok"):
        CASES[f"skip = {skip} behind {first}"] = (
            passdb("a", f"result_success = {first}") + passdb("b", f"skip = {skip}") +
            userdb("a", f"result_success = {first}") +
            userdb("b", f"skip = {'found' if skip == 'authenticated' else 'notfound'}"), USUAL)
CASES["skip: three, the last is for nobody"] = (
    passdb("a", "result_success = continue-ok") + passdb("b", "result_success = continue-fail") +
    passdb("hashed", "skip = unauthenticated", "result_failure = return-fail") + userdb("a"), USUAL)
CASES["every passdb is skipped"] = (passdb("a") + passdb("b", "skip = unauthenticated", "mechanisms = login"), USUAL)
CASES["deny"] = (passdb("denied", "deny = yes") + BOTH, USUAL)
CASES["deny behind"] = (passdb("a", "result_success = continue-ok") + passdb("denied", "deny = yes") + userdb("a"),
                        USUAL)
CASES["deny that cannot be asked"] = (passdb("closed", "deny = yes") + BOTH, USUAL)
CASES["deny with rules"] = (
    passdb("denied", "deny = yes", "result_success = continue-ok", "result_failure = return-fail") + BOTH, USUAL)
CASES["mechanisms"] = (
    HASHES + passdb("a", "mechanisms = plain") + passdb("b", "mechanisms = login cram-md5") + userdb("a"),
    USUAL + [login("same", "pw"), login("onlya", "pw"), login("onlyb", "pw"), cram("onlyb", "pw"), cram("onlya", "pw"),
             scram("onlya", "pw"), scram("nobody", "pw")])
CASES["mechanisms = none"] = (passdb("a", "mechanisms = none") + passdb("b", "mechanisms = login none") + userdb("a"),
                              USUAL + [login("same", "pw"), login("onlyb", "pw")])
for filters in ("same", "only*", "!same", "!same only*", "only* !onlya, nobody", "*a !same", "* !*b"):
    CASES[f"username_filter = {filters}"] = (
        passdb("a", f"username_filter = {filters}") + passdb("b", f"username_filter = !{filters}") + userdb("a"), USUAL)
CASES["default_fields and override_fields"] = (
    passdb("a", "default_fields = fa=default fz=%u userdb_xa=default userdb_home=/def/%n flag both=",
           "override_fields = both=over%n userdb_both=over new reason=%{passdb:fa}") +
    userdb("a", "default_fields = home=/def/%u xa=default mail=maildir:/d/%n flag",
           "override_fields = both=o uid=77 gid=root"),
    USUAL + [user("renamed"), plain("renamed", "pw"), plain("off", "pw")])
CASES["default_fields of a passdb that goes on"] = (
    passdb("a", "default_fields = fd=1 nodelay", "result_success = continue-ok", "override_fields = fo=%{passdb:fa}") +
    passdb("b", "default_fields = fd=2 fa=b", "override_fields = fo=2") + userdb("a", "default_fields = d=1",
    "result_success = continue-ok", "override_fields = o=1") + userdb("b", "default_fields = d=2 home=x",
    "override_fields = o=2"), USUAL)
CASES["prefetch"] = (BOTH.replace("userdb {", "userdb {\n  driver = prefetch\n}\nuserdb {", 1), USUAL)
CASES["prefetch alone"] = (passdb("a") + "userdb {\n  driver = prefetch\n}\n", USUAL)
CASES["prefetch last"] = (passdb("a") + userdb("b", "result_success = continue-ok")
                          + "userdb {\n  driver = prefetch\n}\n",
                          USUAL)
CASES["static userdb"] = (
    passdb("a") + userdb("uid=7000 gid=7001 home=/srv/%d/%n mail=maildir:~/M quota_rule=*:bytes=%{passdb:fa}",
                         driver="static"), USUAL + [user("x@y.org")])
CASES["static userdb that everybody passes"] = (
    passdb("a") + userdb("uid=7000 gid=7001 home=/srv/%n allow_all_users=yes", driver="static"), USUAL)
CASES["static passdb"] = (
    passdb("password=pw fs=%u user=%n", driver="static") + userdb("uid=7000 gid=7001 home=/srv/%n", driver="static"),
    USUAL + [plain("Some@One", "pw"), plain("x@y", "bad"), stored("x@y")])
CASES["static passdb for fields only"] = (
    passdb("a", "result_success = continue-ok") +
    passdb("fs=%u allow_nets=192.0.2.0/24,local", "skip = unauthenticated", driver="static") + userdb("a"),
    USUAL + [plain("same", "pw", NET + "192.0.2.3"), plain("same", "pw", NET + "198.51.100.3")])
CASES["static nopassword"] = (passdb("nopassword=y fs=1", driver="static"), USUAL + [plain("x", "")])
CASES["static nopassword with a password"] = (passdb("password=pw nopassword=y fs=1", driver="static"), USUAL)
ODD = [plain("renamed", "pw"), plain("renamed", "bad"), plain("nopass", "anything"), plain("nopass", "pw"),
       plain("noauth", "pw"), plain("noauth", "other"), plain("noauth", "bad"), plain("quick", "pw"),
       plain("quick", "bad"), plain("off", "pw"), plain("off", "bad"), plain("odd", "pw"), plain("net", "pw"),
       plain("net", "pw", NET + "192.0.2.77"), plain("net", "pw", NET + "192.0.3.77"),
       plain("net", "pw", NET + "2001:db8::7"), plain("net", "bad", NET + "192.0.2.77"), plain("failing", "pw"),
       plain("failing", "bad"), plain("", "pw"), plain("same", ""), plain("SAME", "pw"), plain("Same", "bad"),
       plain("sa me", "pw"), plain("same", "pw", authzid="same"), plain("same", "pw", authzid="onlya"),
       stored("renamed"), stored("nopass"), stored("noauth"), stored("off"), stored("odd"), stored("net"),
       stored("failing"), stored("SAME"), user("renamed"), user("SAME"), user("odd"), user("failing")]
CASES["odd fields"] = (BOTH, ODD)
CASES["odd fields in the only database"] = (passdb("a") + userdb("a"), ODD)
CASES["odd fields, going on"] = (BOTH.replace("users", "users").replace(
    "a\n}", "a\n  result_success = continue\n}"), ODD)
CASES["odd fields, going on as proven"] = (BOTH.replace("a\n}", "a\n  result_success = continue-ok\n}"), ODD)
MASTERS = [plain("same*boss", "bpw"), plain("same*boss", "bad"), plain("same*nobody", "bpw"), plain("nobody*boss",
                                                                                                    "bpw"),
           plain("boss", "bpw"), plain("same*onlya", "mpw"), plain("same*onlya", "pw"), plain("same", "pw"),
           plain("same*same", "pw"), plain("*boss", "bpw"), plain("same*", "pw"), plain("boss", "bpw", authzid="same"),
           plain("same*boss", "bpw", authzid="onlya"), plain("off*boss", "bpw"), plain("net*boss", "bpw"),
           plain("renamed*boss", "bpw"), plain("same*silent", "bpw"), plain("SAME*Boss", "bpw"), plain("a*b*boss",
                                                                                                       "bpw"),
           plain("noauth*boss", "bpw"), plain("failing*boss", "bpw"), plain("sa me*boss", "bpw"), cram("same*boss",
                                                                                                       "bpw"),
           cram("same*boss", "bad"), cram("same", "pw"), scram("same*boss",
                                                               "bpw"), stored("same*boss"), user("same*boss"),
           stored("boss")]
SEPARATOR = "auth_master_user_separator = *\nauth_mechanisms = plain login cram-md5 scram-sha-1\n"
for name, settings in {
        "master": (), "master, pass": ("pass = yes",), "master, continue": ("result_success = continue",),
        "master, continue-ok": ("result_success = continue-ok",),
        "master, return-fail": ("result_success = return-fail",),
        "master, failures return": ("result_failure = return",),
        "master, mechanisms": ("mechanisms = plain",), "master, filter": ("username_filter = b*",),
        "master, fields": ("default_fields = dm=%u userdb_y=%{login_user}",
                           "override_fields = om=%{auth_user}")}.items():
    CASES[name] = (SEPARATOR + passdb("masters", "master = yes", *settings) + BOTH, MASTERS)
CASES["master that cannot be asked"] = (SEPARATOR + passdb("closed", "master = yes") + BOTH, MASTERS)
CASES["master that cannot be asked, then one that can"] = (
    SEPARATOR + passdb("closed", "master = yes") + passdb("masters", "master = yes", "pass = yes") + BOTH, MASTERS)
CASES["master without a master passdb"] = (SEPARATOR + BOTH, MASTERS)
CASES["master behind the others"] = (SEPARATOR + BOTH + passdb("masters", "master = yes"), MASTERS)
CASES["no separator"] = ("auth_mechanisms = plain login cram-md5 scram-sha-1\n" + passdb("masters", "master = yes")
                         + BOTH,
                         MASTERS)
CREDENTIALS = [cram("plain", "pw"), cram("scram", "pw"), cram("crypt", "pw"), cram("plain", "bad"), cram("nobody",
                                                                                                         "pw"),
               scram("plain", "pw"), scram("crypt", "pw"), scram("same", "pw"), cram("same", "pw"), cram("both", "one"),
               cram("both", "two"), cram("onlyb", "pw"), cram("onlya", "pw"), cram("nopass", "x"), cram("noauth", "pw"),
               cram("off", "pw"), cram("net", "pw"), cram("net", "pw", NET + "192.0.2.9"), cram("renamed", "pw"),
               cram("failing", "pw"), cram("odd", "pw"), cram("SAME", "pw"), stored("crypt"), stored("plain")]
for rule in ("return-ok", "continue", "continue-ok", "continue-fail"):
    CASES[f"credentials, {rule}"] = (
        HASHES + passdb("hashed", f"result_success = {rule}") + passdb("a", f"result_success = {rule}") + passdb("b") +
        userdb("a"), CREDENTIALS)
CASES["credentials, last goes on"] = (
    HASHES + passdb("a", "result_success = continue-ok") + passdb("fs=1", driver="static") + userdb("a"), CREDENTIALS)
CASES["credentials from one that cannot be asked"] = (
    HASHES + passdb("closed") + passdb("a") + userdb("a"), CREDENTIALS)
CASES["names"] = (
    "auth_default_realm = ex.org\nauth_username_translation = %@:@\nauth_username_format = %Ln\n" + passdb("a") +
    userdb("a"), [plain("same", "pw"), plain("SAME@x", "pw"), plain("same%x", "pw"), plain("same:x", "bad"),
                  user("same"),
                  user("SAME%y"), stored("same@z"), plain("nobody", "x"), user("nobody")])
CASES["auth_username_chars is empty"] = (
    "auth_username_chars =\n" + passdb("a") + userdb("a"),
    [plain("sa me", "pw"), plain("same'", "pw"), plain("s\u00e4me", "pw"), user("sa me"), plain("%u", "pw")])
# On a login socket proxying is complete, on others the fields come as they are.
AT_LOGIN = DEFAULT + "\tlip=127.0.0.1\trip=127.0.0.1\tlport=143"
EACH_FIELD = [(kind, sasl.Plain(name, password), params) for name in FIELDS for kind, password, params in (
    ("login", "pw", AT_LOGIN), ("handover", "pw", AT_LOGIN), ("login", "bad", AT_LOGIN), ("login", "pw", DEFAULT))]
CASES["each field"] = (passdb("fields") + userdb("fields"), EACH_FIELD + [stored(name) for name in FIELDS])
CASES["each field, prefetched"] = (
    "auth_proxy_self = 192.0.2.1 192.0.2.9\n" + passdb("fields") + "userdb {\n  driver = prefetch\n}\n",
    [("handover", sasl.Plain(name, "pw"), AT_LOGIN) for name in FIELDS])
CASES["each field, of a master user"] = (
    SEPARATOR + passdb("masters", "master = yes", "pass = yes") + passdb("fields") + userdb("fields"),
    [("handover", sasl.Plain(f"{name}*boss", "bpw"), AT_LOGIN) for name in FIELDS])
CASES["each field, going on"] = (passdb("fields", "result_success = continue") + passdb("b") + userdb("b"),
                                 [row for row in EACH_FIELD if row[1].user not in (b"s3", b"s4")])  # Dovecot never ends
CASES["names of a mail process"] = (
    passdb("a") + userdb("a"), [("handover", sasl.Plain(name, "pw"), AT_LOGIN) for name in ("same", "SAME", "renamed")])
CASES["forwarded fields"] = (passdb("a") + userdb("a"), [
    ("handover", sasl.Plain("same", password), f"{DEFAULT}\tforward_fields={fields}")
    for password in ("pw", "bad") for fields in ("x=1", "x=1\1ty=2\1tz", "", "fa=7\1tuser=root\1tnopassword")])
SERVICES = """protocols = imap lmtp
service imap-login {
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = 0
  }
}
protocol imap {
  auth_mechanisms = plain cram-md5
  auth_username_format = %n-imap
  passdb {
    driver = static
    args = password=imap fi=imap
  }
  userdb {
    driver = static
    args = uid=5001 gid=5001 home=/imap/%n allow_all_users=yes
  }
}
protocol smtp {
  passdb {
    driver = static
    args = password=smtp fs=smtp
  }
}
protocol lmtp {
  auth_username_format = %n-lmtp
}
protocol !imap {
  auth_default_realm = notimap
}
protocol doveadm {
  auth_username_format = %n-doveadm
}
"""
CASES["protocol blocks"] = (
    "auth_mechanisms = plain login\n" + passdb("password=all fd=default", driver="static") +
    userdb("uid=5000 gid=5000 home=/default/%n allow_all_users=yes", driver="static") + SERVICES,
    [request for service in ("imap", "smtp", "lmtp", "doveadm", "pop3", "sieve", "other") for request in (
        *(plain("bob", password, f"service={service}\tno-penalty") for password in ("all", "imap", "smtp", "bad")),
        login("bob", "imap", f"service={service}\tno-penalty"), stored("bob", f"service={service}"),
        user("bob", f"service={service}"))])
for first, then in (("doveadm", "!imap"), ("!imap", "doveadm")):
    CASES[f"protocol {first}, then {then}: the first counts"] = (
        "".join(f"protocol {name} {{\n  auth_default_realm = {name.strip('!')}\n" +
                userdb(f"uid=1 gid=1 home=/{name}/%u allow_all_users=yes", driver="static") + "}\n" for name in (first,
                                                                                                                 then)) +
        passdb("password=all", driver="static") + userdb("uid=1 gid=1 home=/default/%u", driver="static"),
        [request for service in ("imap", "doveadm", "lmtp") for request in (
            plain("bob", "all", f"service={service}\tno-penalty"), user("bob", f"service={service}"))])
CASES["two userdbs that differ"] = (
    passdb("a") + userdb("a", "result_success = continue-ok", "override_fields = fromall=1") +
    userdb("b", "result_failure = return-fail", "default_fields = late=1"), USUAL)
CASES["no userdb"] = (passdb("a"), USUAL)


class Silent(authpair.Pair):
    """A pair with directories of its own, so that several live at a time."""

    def __init__(self, number, config):
        super().__init__("", start=False)
        for peer in self.peers:
            peer.base = f"{authpair.RUN}/{number}/{peer.name}"
            peer.config_path, peer.log_path = f"{peer.base}.conf", f"{peer.base}.log"
        os.makedirs(f"{authpair.RUN}/{number}", exist_ok=True)
        self.write_config(config)
        self.start()


def pick_up(peer, client, id, reply):
    """A login on a login socket, and what the mail process hears when it asks for it."""
    if reply.kind == "OK" and reply.get("nologin") is None and reply.get("proxy") is None:
        given = peer.master().request(client, id)
        reply.steps = [*reply.steps, f"{given.kind} {sorted(field for field in given.fields if field)}"]
    return reply


def answers(peer, requests):
    """The replies of one server, logins all under way at once."""
    requests = copy.deepcopy(requests)  # mechanisms remember where they are
    logins = [request for request in requests if request[0] == "login"]
    replies = iter(peer.auth().login_all([(mechanism, params, True) for _, mechanism, params in logins]))
    at_login = peer.new_auth("auth-login")
    handovers = [request for request in requests if request[0] == "handover"]
    begun = [(at_login.start(what, params), what) for _, what, params in handovers]
    handed = iter([pick_up(peer, at_login, id, at_login.finish(what, id)) for id, what in begun])
    out = []
    for kind, what, params in requests:
        if kind == "login":
            out.append(next(replies))
        elif kind == "handover":
            out.append(next(handed))
        else:
            out.append((peer.master().user if kind == "user" else peer.master().passdb)(what, params))
    return out


def is_challenged(kind, what):
    return kind == "login" and what.name not in ("PLAIN", "LOGIN")


# Where Culver differs on purpose: name -> (reason, does this difference look like it); also in docs/auth-protocol.md.
ACCEPTED = {
    "unproven": (
        "fields of the databases are not in the FAIL of a mechanism that never proved anybody",
        lambda case, kind, what, theirs, ours: is_challenged(kind, what) and theirs.kind == ours.kind == "FAIL" and
        theirs.get("user") == ours.get("user") and not [f for f in ours.fields if not f.startswith(("user=", "code=",
                                                                                                  "original_user="))]),
    "master-before-proof": (
        "a master user is somebody else only when he has proven himself, so a wrong proof is his own failure",
        lambda case, kind, what, theirs, ours: is_challenged(kind, what) and theirs.kind == ours.kind == "FAIL" and
        theirs.get("code") == "authz_fail" and ours.get("user") == what.user.decode().split("*")[1].lower()),
    "master-by-challenge": (
        "with pass = yes Dovecot compares a master user's proof with the password of the other user",
        lambda case, kind, what, theirs, ours: is_challenged(kind, what) and "master" in case and
        theirs.get("code") == "authz_fail" and ours.kind == "OK" and ours.get("auth_user") == "boss"),
    "nopassword-and-password": (
        "a static passdb with nopassword and a password lets everybody in; in Culver the password counts",
        lambda case, kind, what, theirs, ours: case == "static nopassword with a password" and theirs.kind == "OK" and
        ours.kind == "FAIL"),
    "networks-of-lookups": (
        "allow_nets is for logins: a lookup without an address is no login, and LMTP needs the user",
        lambda case, kind, what, theirs, ours: kind == "pass" and what in ("net", "r7", "r8",
                                                                           "u1") and theirs.kind == "NOTFOUND" and
        ours.kind == "PASS"),
    "proxy-of-lookups": (
        "PASS gives the proxy fields as they are: only a login can be sent elsewhere, and no lookup waits for DNS",
        lambda case, kind, what, theirs, ours: kind == "pass" and case == "each field" and what[0] in "pqu" and
        ours.get("proxy_maybe" if what != "p9" and what != "p6" else "proxy") is not None),
    "userdb-that-failed": (
        "a userdb that does not know the user leaves no default_fields and override_fields behind",
        lambda case, kind, what, theirs, ours: kind == "user" and "default_fields" in case and
        theirs.kind == ours.kind == "USER"),
}
used, lock, writing = set(), threading.Lock(), threading.Lock()


def accepted(case_name, kind, what, theirs, ours):
    for name, (reason, looks_like_it) in ACCEPTED.items():
        if looks_like_it(case_name, kind, what, theirs, ours):
            with lock:
                used.add(name)
            return name
    return None


def run_case(number, name):
    """The differences of one case as text."""
    config, requests = CASES[name]
    if "auth_mechanisms" not in config:
        config = "auth_mechanisms = plain login\n" + config
    pair = Silent(number, config)
    found = []
    try:
        for request, (theirs, ours) in zip(requests, zip(*pair.both(lambda peer: answers(peer, requests)))):
            kind, what, params = request
            text = f"{name}: {kind} {what} {params if params not in (DEFAULT, 'service=imap') else ''}"
            equal = authpair.comparable(theirs) == authpair.comparable(ours)
            reason = None if equal else accepted(name, kind, what, theirs, ours)
            if MORE:
                found.append(f"{'==' if equal else '~=' if reason else '!='} {text}\n    {theirs}" +
                             ("" if equal else f"\n    {ours}"))
            elif not equal and not reason:
                found.append(f"{text}\n    dovecot: {theirs}\n    culver:  {ours}")
        if MORE and os.environ.get("LOGS"):
            found += [f"--- {peer.name}\n{peer.log()}" for peer in pair.peers]
    except (AssertionError, OSError) as error:
        logs = "".join(f"\n  log of {peer.name}:\n{peer.log()}" for peer in pair.peers)
        found.append(f"{name}: {error}{logs}")
    finally:
        try:
            pair.stop()
        except AssertionError as error:
            found.append(f"{name}: {error}: {pair.culver.log()[-3000:]}")
    return found


def test_the_rules_are_those_of_the_reference():
    for name, text in FILES.items():
        private.install_file(f"{DIR}/{name}", text)
    private.install_file("/etc/resolv.conf", "nameserver 127.0.0.1\n")  # where nobody listens: an answer at once
    private.install_file(f"{DIR}/closed", "", mode=0o600)
    wanted = [name for name in CASES if os.environ.get("CASE", "") in name]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        found = [line for lines in pool.map(run_case, range(len(wanted)), wanted) for line in lines]
    if MORE:
        print("\n".join(found))
    else:
        assert not found, f"{len(found)} differences:\n" + "\n".join(found)


def test_delay_until_holds_what_is_right_and_not_what_is_wrong():
    """delay_until=T, T+N: the OK does not come before T; a refusal and a T of the past do."""
    private.install_file(f"{DIR}/late", "")
    os.utime(f"{DIR}/late", (1, 1))
    pair = Silent("late", passdb("late") + userdb("late"))
    try:
        pair.at_once(delayed)
    finally:
        pair.stop()


def delayed(peer):
    client = peer.new_auth()
    for attempt in range(3):  # a machine that stands still for seconds spoils the order
        until, name = int(time.time()) + 4, f"{peer.name}{attempt}"
        with writing:
            with open(f"{DIR}/late") as file:
                text = file.read()
            private.install_file(f"{DIR}/late", text + f"late-{name}:{{PLAIN}}pw::::::delay_until={until}\n"
                                 f"random-{name}:{{PLAIN}}pw::::::delay_until={until}+2\n"
                                 f"back-{name}:{{PLAIN}}pw::::::delay_until={until - 60}\n")
            os.utime(f"{DIR}/late", (until + attempt, until + attempt))
        held = [client.start(sasl.Plain(f"{user}-{name}", "pw")) for user in ("late", "random")]
        assert client.login(sasl.Plain(f"late-{name}", "bad")).kind == "FAIL", peer.name
        assert client.login(sasl.Plain(f"back-{name}", "pw")).kind == "OK", peer.name
        first = not any(client.has_heard_of(id) for id in held)
        for id in held:
            reply = client.reply(id)
            assert reply.kind == "OK" and time.time() > until - 0.1, (peer.name, until, time.time(), str(reply))
        if first:
            return
    raise AssertionError(f"{peer.name}: what is right holds up others")


def test_every_accepted_difference_is_real():
    assert os.environ.get("CASE") or used == set(ACCEPTED), set(ACCEPTED) - used


if __name__ == "__main__":
    case.main(globals())
