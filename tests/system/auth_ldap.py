#!/usr/bin/env python3
"""passdb and userdb ldap with a real slapd: what Debian's Dovecot answers, Culver answers. When the server is in
trouble: auth_ldap_trouble.py."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, sasl, slapd
from harness.authpair import Accepted, Pair
from harness.slapd import BASE, LDAPI, MANAGER, MANAGER_PASSWORD, PEOPLE, entry, person, ssha

Pair.ACCEPTED = {name: Accepted(reason) for name, reason in {
    "nopassword": "a database that returns a password and nopassword contradicts itself; Culver compares the password",
    "static base": "a base without variables that is not there is a mistake of dovecot-ldap.conf.ext: a temporary "
                   "failure, so that no mail bounces; Dovecot calls every user unknown",
    "no domain": "a base of %d and a name without domain: there is no such user; Dovecot reports an internal error",
    "subquery": "%{ldap_dn} and variables of the login work beside @pointers too; Dovecot fails the lookup",
    "not UTF-8": "no DN can have such a name in it, so there is no such user; Dovecot reports an internal error",
    "control": "a name with control characters is refused before a database is asked, and shown as it came",
}.items()}
CERTIFICATES = "/etc/pair/tls"
# Names with everything that means something to a filter, a DN, a line protocol or a template.
ODD = ["st*r", "par(en)", "back\\slash", "com,ma", "pl+us", 'quo"te', "ha#sh", "#first", "sp ace", "semi;colon",
       "an<gle>",
       "eq=ual", "sla/sh", "per%cent", "%u", "am&p", "pi|pe", "ex!cl", "tilde~", "d'ot", "\u00e4pfel", "\u65e5\u672c"]
HOSTILE = ["*", "a*", "alice)(uid=*", "alice)(|(uid=*)", "alice)(&(", "*)(objectClass=*", "\\2a", "\\00", "alice\\",
           "alice,ou=people", "alice+uid=bob", "uid=alice", "alice\\2cou=x", " alice", "alice ", "#alice", "alice\tx",
           "alice\nuid: bob", "alice\rx", "%{ldap:userPassword}", "(", ")", ")(", "a" * 250, b"\xff\xfe", b"ali\xc3"]
state = {}


def people():
    blob = b"\0\1binary\xff"
    users = [
        person("alice", ssha("secret"), mail=["alice@example.test", "alice2@example.test"], mailQuota="100",
               mailFlag=["a", "b"]),
        person("Bob", "bobpw", mailClass=f"cn=gold,{BASE}", primaryPath="/p1", secondaryPath="/p2",
               activePath="secondaryPath"),
        person("nopw"),
        person("twopw", [ssha("one"), ssha("two")]),
        person("clear", "{CLEARTEXT}secret"),
        person("dup1", "{CLEARTEXT}x", mail="dup@example.test"),
        person("dup2", "{CLEARTEXT}x", mail="dup@example.test"),
        person("tab", "{CLEARTEXT}x", mailFlag="a\tb\nc\1d", mailBlob=blob),
        person("dangling", "{CLEARTEXT}x", mailClass=f"cn=nowhere,{BASE}"),
        person("named", "{CLEARTEXT}x", mailFlag="vmail"),
        person("carol", ssha("carols"), mailFlag="two"),
        entry(f"cn=gold,{BASE}", objectClass=["organizationalRole", "mailUser"], cn="gold", mailQuota="999",
              uidNumber="7777", homeDirectory="/gold"),
    ]
    return users + [person(name, ssha("secret")) for name in ODD]


def make_certificates():
    """An authority, a server's certificate for 127.0.0.1 and one for a client; a second authority that signed none."""
    os.makedirs(CERTIFICATES)

    def run(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=CERTIFICATES)
    for authority in ("ca", "other"):
        run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={authority}", "-keyout",
            f"{authority}.key", "-out", f"{authority}.pem")
    private.install_file(f"{CERTIFICATES}/names",
                         "subjectAltName=DNS:mailhost.maildomain.test,DNS:localhost,IP:127.0.0.1\n")
    for name in ("server", "client"):
        run("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out",
            f"{name}.csr")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
            "-extfile", "names", "-out", f"{name}.pem")


def settings(**more):
    values = {"hosts": "127.0.0.1", "dn": MANAGER, "dnpass": MANAGER_PASSWORD, "base": PEOPLE, **more}
    return "".join(f"{key} = {value}\n" for key, value in values.items() if value is not None)


DATABASES = """
auth_username_chars =
auth_username_format =
auth_mechanisms = plain login cram-md5 digest-md5 scram-sha-256
passdb {
  driver = ldap
  args = /etc/pair/ldap.conf
}
userdb {
  driver = ldap
  args = /etc/pair/ldap.conf
}
"""


def install(text, path="/etc/pair/ldap.conf", mode=0o644):
    private.install_file(path, text, mode)


def use(config=DATABASES, **more):
    """Both servers with other settings for LDAP."""
    install(settings(**more))
    if "pair" in state:
        state["pair"].restart(config)
    else:
        state["pair"] = Pair(config)
    return state["pair"]


def plain(user, password="secret"):
    return sasl.Plain(user, password)


def test_start():
    make_certificates()
    private.add_user("vmail", uid=5000, home="/var/vmail")
    state["slapd"] = slapd.Slapd(tls_port=636, certificate=[f"{CERTIFICATES}/{name}" for name in
                                                            ("ca.pem", "server.pem", "server.key")])
    state["slapd"].load(people())
    state["slapd"].start()


def test_defaults():
    pair = use()
    with pair.together():
        pair.logins([plain("alice"), plain("ALICE"), plain("alice", "wrong"), plain("alice", ""), plain("nobody"),
                     plain("nopw", "x"), plain("nopw", ""), plain("twopw", "one"), plain("twopw", "two"),
                     plain("Bob", "bobpw"), plain("clear"), plain("clear", "x")])
        for name in ("alice", "bob", "BOB", "nobody", "nopw", "Alice"):
            pair.user(name)
            pair.passdb(name)
        for mechanism in ("LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-256"):
            for password in ("secret", "wrong"):
                pair.login(sasl.make(mechanism, "clear", password), normalise=without_name)
        pair.compare("LIST", lambda peer: sorted(peer.master().list().fields))


def without_name(reply):
    """In a refusal of DIGEST-MD5 or SCRAM the extra fields differ for every database; other tests look at that."""
    if reply.kind == "FAIL":
        reply.fields = [field for field in reply.fields if field.startswith("user=")]
    return reply


def test_names_that_mean_something_to_ldap():
    pair = use()
    with pair.together():
        pair.logins([plain(name) for name in ODD])
        pair.logins([plain(name, "wrong") for name in ODD])
        for name in ODD:
            pair.user(name)
        replies = pair.logins([hostile(name) for name in HOSTILE])
        for name in HOSTILE:
            if isinstance(name, str) and not set(name) & set("\t\n\r"):
                pair.user(name)
    for name, reply in zip(HOSTILE, replies):
        # Blanks around a value do not count in LDAP (RFC 4518 §2.6.1).
        assert reply.kind == "FAIL" or name in (" alice", "alice "), f"{name!r} logs in: {reply}"


def hostile(name, in_dn=False):
    """Such a login, with what is accepted of its answer."""
    if isinstance(name, bytes):
        return plain(name), {"accept": "not UTF-8" if in_dn else None}
    return plain(name), {"accept": "control" if set(name) & set("\t\n\r") else None}


def test_user_attrs():
    pair = use(user_attrs="uidNumber=uid, gidNumber=gid, mail=mail, mailFlag=flag, mailFlag=flag2=x%$y, missing=none, "
               "missing=none2=t%$, =static=foo, =static2=%u-%{ldap:uid}-%{ldap:missing:def}-%{ldap:missing}, "
               "=dn=%{ldap_dn}, mailBlob=blob, =f, =g=, =h=%Lu %Uu %2u, =i=%{ldap:MAIL}, MAIL=j, =k=%L{ldap:mail} "
               "%2{ldap:mail} %U{ldap:uid}, =l=%$, mail=m=const, mail=n=%{ldap:mail}|%{ldap:mailFlag}, "
               "missing=o=%{ldap:mail}, mail, =p=%{ldap:uid:d:e}%{ldap:nope:d:e}, =q=%{ldap:}%{ldap}, "
               "uid=r=%$ %$ %$x, uid=s=%%$ 50%%, mail=t=%u, mail=v=a%%b, mail=w=%{ldap_dn},, "
               "=x=%{sha256:ldap:uid}, mail=y=%, cn=CN, =z=%{session}")
    with pair.together():
        for name in ("alice", "Bob", "tab", "nopw", "ALICE", "st*r", "per%cent", "%u"):
            pair.user(name)


def test_user_attrs_that_rename_the_user():
    for attrs in ("uid=user=%$@example.test, =x=%u", "=user=%Uu, =x=%u", "=user=", "uid=user=%Lu",
                  "homeDirectory=user"):
        pair = use(user_attrs=attrs)
        with pair.together():
            for name in ("alice", "Bob"):
                pair.user(name)


def test_uids_by_name_and_wrong_ones():
    for attrs in ("mailFlag=uid", "mailFlag=gid", "=uid=vmail, =gid=vmail", "=uid=nosuch", "=uid=",
                  "=gid=5000,=gid=5001"):
        pair = use(user_attrs=attrs)
        with pair.together():
            for name in ("named", "carol", "Bob"):
                pair.user(name)


def test_pointers():
    pair = use(user_attrs="=user=%{ldap:uid}, @class=%{ldap:mailClass}, =quota=%{ldap:mailQuota@class:none}, "
               "=home=%{ldap:homeDirectory@class}, mailQuota@class=q2")
    with pair.together():
        for name in ("Bob", "alice", "dangling"):
            pair.user(name)
    pair = use(user_attrs="=home=%{ldap_ptr:activePath}, !primaryPath, !secondaryPath")
    with pair.together():
        for name in ("Bob", "alice"):
            pair.user(name)
    pair = use(user_attrs="=a=%{ldap:uidNumber@mail}, @mail=%{ldap:mailClass}, =dn=%{ldap_dn}, =b=%u")
    pair.user("Bob", accept="subquery")


def test_pass_attrs():
    for attrs in ("uid=user, userPassword=password, homeDirectory=userdb_home, mailFlag=userdb_flag, mailFlag=foo, "
                  "=bar, mail=mail2", "userPassword=password, uid=user=%$@example.test", "=password={PLAIN}%{ldap:uid}",
                  "=password=geheim", "=password=", "=nopassword=y", "", "uid=user"):
        pair = use(pass_attrs=attrs)
        with pair.together():
            pair.logins([plain("alice"), plain("alice", "alice"), plain("alice", "wrong"), plain("alice", ""),
                         plain("ALICE"), plain("nobody")])
            pair.passdb("alice")
            pair.passdb("nobody")
    pair = use(pass_attrs="=nopassword=, userPassword=password")
    pair.login(plain("alice", "wrong"), accept="nopassword")
    pair = use(pass_attrs="userPassword=password, =user=%{ldap:nope}")
    pair.login(plain("alice"))
    pair.passdb("alice")
    pair = use(pass_attrs="uid=user, userPassword=password_noscheme", default_pass_scheme="PLAIN")
    with pair.together():
        pair.logins([plain("Bob", "bobpw"), plain("clear"), plain("clear", "{CLEARTEXT}secret")])


def test_several_userdbs():
    """Documented for 2.2: the second query depends on what the first has found; a value that is there is kept."""
    pair = use()
    install(settings(user_attrs="=user=%{ldap:uid}, =class=%{if;%u;eq;Bob;gold;none}, mailQuota=quota=%$, "
                     "=a:protected=1, =a=2, =b=1, =b:remove=, =c=1, =c:protected=2"))
    install(settings(base=BASE, user_filter="(cn=%{userdb:class})", user_attrs="mailQuota=quota:protected=%$, "
                     "uidNumber=uid, =c:protected=3, =a:remove="), "/etc/pair/class.conf")
    pair.restart(DATABASES.replace("userdb {", "userdb {\n  result_success = continue-ok", 1) + """
userdb {
  driver = ldap
  args = /etc/pair/class.conf
  skip = notfound
}
""")
    with pair.together():
        for name in ("Bob", "alice", "nobody"):
            pair.user(name)


def test_prefetch():
    pair = use(DATABASES.replace("userdb {", "userdb {\n  driver = prefetch\n}\nuserdb {"),
               pass_attrs="uid=user, userPassword=password, homeDirectory=userdb_home, uidNumber=userdb_uid, "
               "gidNumber=userdb_gid, =userdb_mail=maildir:~/M-%n, mailFlag=userdb_flag",
               user_attrs="=home=/not/prefetched")
    with pair.together():
        pair.login(plain("carol", "carols"))
        pair.user("carol")
        for peer in pair.peers:
            client = peer.new_auth("auth-login")
            number = client.start(plain("carol", "carols"))
            assert client.reply(number).kind == "OK"
            reply = peer.new_master().ask("REQUEST", str(client.pid), str(number), client.cookie)
            state[peer.name] = sorted(reply.fields[1:])
            client.close()
        pair.judge("REQUEST", state["dovecot"], state["culver"])


def test_default_pass_scheme():
    pair = use(default_pass_scheme="PLAIN")
    with pair.together():
        pair.logins([plain("Bob", "bobpw"), plain("Bob", "x"), plain("alice")])
        for mechanism in ("CRAM-MD5", "SCRAM-SHA-256"):
            pair.login(sasl.make(mechanism, "Bob", "bobpw"))


def bind_requests(in_dn=False):
    return ([plain("alice"), plain("ALICE"), plain("alice", "wrong"), plain("alice", ""), plain("nobody"),
             plain("nopw", "x"), plain("twopw", "one"), plain("twopw", "two"), plain("Bob", "bobpw"), plain("clear")]
            + [plain(name) for name in ODD] + [plain(name, "wrong") for name in ODD]
            + [plain(name, "") for name in ODD] + [hostile(name, in_dn) for name in HOSTILE])


def test_auth_bind():
    for more in ({}, {"pass_attrs": "uid=user=x%$, userPassword=password, =userdb_home=/y, mailFlag=flag"},
                 {"pass_filter": "(|(uid=%u)(mail=%u))"}):
        pair = use(auth_bind="yes", **more)
        with pair.together():
            pair.logins(bind_requests() + [plain("alice@example.test"), plain("dup@example.test", "x")])
            for name in ("alice", "ALICE", "nobody", "nopw"):
                pair.passdb(name)
                pair.user(name)
            pair.login(sasl.CramMd5("clear", "secret"), normalise=without_name)


def test_auth_bind_userdn():
    pair = use(auth_bind="yes", auth_bind_userdn=f"uid=%u,{PEOPLE}")
    with pair.together():
        replies = pair.logins(bind_requests(in_dn=True))
        for name in ("alice", "nobody", "st*r"):
            pair.passdb(name)
    for sent, reply in zip(bind_requests(), replies):
        sent = sent[0] if isinstance(sent, tuple) else sent
        if sent.password == b"":
            assert reply.kind == "FAIL", f"{sent!r} logs in without a password"
        if sent.user.decode(errors="replace") in HOSTILE and sent.user.strip() != b"alice":
            assert reply.kind == "FAIL", f"{sent!r} logs in: {reply}"


def test_no_unauthenticated_bind_reaches_the_server():
    """RFC 4513 §5.1.2: a server that allows it says yes to an empty password."""
    pair = use(auth_bind="yes")
    before = len(state["slapd"].log())
    assert pair.culver.auth().login(plain("alice", "")).kind == "FAIL"
    assert "BIND dn=\"uid=alice" not in state["slapd"].log()[before:], "an unauthenticated bind was sent"


def test_base_with_variables():
    tree = DATABASES
    by_name = {"user_filter": "(uid=%n)", "pass_filter": "(uid=%n)"}
    pair = use(tree, base="ou=people,dc=%Dd", **by_name)
    with pair.together():
        pair.logins([plain("alice@example.test"), plain("alice@nope.test"), plain("alice@example.test,dc=x"),
                     plain("alice@example"), plain("alice@exam*ple.test")])
        pair.user("alice@example.test")
        pair.user("alice@nope.test")
    pair = use(tree, base="ou=people,dc=%d,dc=test", **by_name)
    with pair.together():
        pair.logins([plain("alice@example"), plain("alice@nope"), plain("alice@example,dc=test"),
                     plain("alice@ex+a=b")])
        pair.user("alice@example")
        pair.user("alice@nope")
        pair.user("alice", accept="no domain")
    pair = use(base="dc=nope,dc=test")
    pair.user("alice", accept="static base")


def test_filters_scopes_and_several_entries():
    for more in ({"user_filter": "(mail=%u)", "pass_filter": "(mail=%u)"}, {"scope": "onelevel"},
                 {"scope": "onelevel", "base": BASE}, {"scope": "base"}, {"scope": "base", "base": f"uid=%u,{PEOPLE}"},
                 {"user_filter": "uid=%u"}, {"deref": "always"}, {"user_filter": "(&(uid=%n)(mail=*@%d))"},
                 {"user_filter": "(|(uid=%Lu)(mailClass=cn=%n,dc=example,dc=test))"},
                 {"user_filter": "(mail=%{if;%d;eq;example.test;%u;x})"}):
        pair = use(**more)
        with pair.together():
            pair.logins([plain("dup@example.test", "x"), plain("alice@example.test"), plain("alice")])
            for name in ("dup@example.test", "alice@example.test", "alice", "gold", "nobody"):
                pair.user(name)


def test_iterate():
    for more in ({}, {"iterate_attrs": "mail=user"}, {"iterate_attrs": "uid=user=%$@x", "iterate_filter": "(mail=*)"},
                 {"iterate_attrs": "uid=user, mail=foo, =user=%{ldap:uid}@x", "iterate_filter": "(mail=*)"},
                 {"iterate_attrs": "=user=%{ldap:uid}@%{ldap:mail}", "iterate_filter": "(mail=*)"},
                 {"iterate_attrs": "mail=user=<%$>"}, {"iterate_filter": "(uid=nobody)"}, {"iterate_attrs": "uid"}):
        pair = use(**more)
        pair.compare(f"LIST {more}", lambda peer: sorted(peer.master().list().fields))
    pair = use()
    pair.doveadm("user", "*", normalise=lambda result: (result[0], sorted(result[1].split("\n"))))
    pair.doveadm("user", "alice")
    pair.doveadm("user", "-f", "home", "Bob")
    pair.doveadm("auth", "test", "alice", "secret", normalise=lambda result: (result[0], result[1].split()))


def test_a_listing_is_never_cut_short():
    """slapd gives 500 entries at most to a client of this kind: an error, not a part of the users."""
    more = "".join(person(f"many{number}", "{CLEARTEXT}x") for number in range(600))
    subprocess.run(["ldapadd", "-x", "-D", MANAGER, "-w", MANAGER_PASSWORD, "-H", "ldap://127.0.0.1"], input=more,
                   text=True, check=True, capture_output=True)
    pair = use()
    listed = pair.culver.master().list()
    assert len(listed.fields) > 600, listed
    # The manager has no limit; somebody else has.
    state["slapd"].modify(f"dn: uid=alice,{PEOPLE}\nchangetype: modify\nreplace: userPassword\nuserPassword: secret\n")
    pair = use(dn=f"uid=alice,{PEOPLE}", dnpass="secret")
    reply = pair.culver.master().list()
    assert "fail" in reply.fields or len(reply.fields) > 600, f"{len(reply.fields)} users and no error"
    state["slapd"].modify("".join(f"dn: uid=many{number},{PEOPLE}\nchangetype: delete\n\n" for number in range(600)))
    state["slapd"].modify(f"dn: uid=alice,{PEOPLE}\nchangetype: modify\nreplace: userPassword\n"
                          f"userPassword: {ssha('secret')}\n")


def test_tls():
    ca = {"tls_ca_cert_file": f"{CERTIFICATES}/ca.pem"}
    for more in ({"tls": "yes", **ca}, {"hosts": None, "uris": "ldaps://127.0.0.1", **ca},
                 {"hosts": None, "uris": "ldaps://localhost", **ca, "tls_require_cert": "hard"},
                 {"tls": "yes", "tls_ca_cert_file": f"{CERTIFICATES}/other.pem", "tls_require_cert": "never"},
                 {"tls": "yes", **ca, "tls_cipher_suite": "SECURE256:+SECURE128"}):
        pair = use(**more)
        with pair.together():
            pair.user("alice")
            pair.login(plain("alice"))
            pair.login(plain("alice", "wrong"))


def test_a_certificate_that_nobody_vouches_for_is_a_temporary_failure():
    for more in ({"tls": "yes"}, {"hosts": None, "uris": "ldaps://127.0.0.1"}):
        pair = use(tls_ca_cert_file=f"{CERTIFICATES}/other.pem", **more)
        with pair.together():
            assert pair.culver.auth().login(plain("alice")).get("code") == "temp_fail"
            assert pair.culver.master().user("alice").kind == "FAIL"
        pair.culver.wait_log("LDAP.*tls_ca_cert_file")


def test_a_key_that_only_root_may_read():
    """Read at the start, while authd is root; in use after a reload, when it is not."""
    os.chmod(f"{CERTIFICATES}/client.key", 0o600)
    os.chmod(f"{CERTIFICATES}/ca.pem", 0o600)
    install(settings(tls="yes", tls_ca_cert_file=f"{CERTIFICATES}/ca.pem", tls_cert_file=f"{CERTIFICATES}/client.pem",
                     tls_key_file=f"{CERTIFICATES}/client.key"), mode=0o600)
    pair = state["pair"]
    pair.stop()
    pair.culver.start()
    assert pair.culver.auth().login(plain("alice")).kind == "OK", pair.culver.log()[-2000:]
    mark = len(pair.culver.log())
    pair.culver.reload()
    pair.culver.wait_log("SIGHUP received", since=mark)
    assert pair.culver.auth().login(plain("alice")).kind == "OK", pair.culver.log()[-2000:]
    os.chmod(f"{CERTIFICATES}/ca.pem", 0o644)
    pair.dovecot.start()


def test_ldapi_with_sasl_external():
    """slapd knows the process by its uid; its configuration makes that the manager."""
    pair = use(hosts=None, uris=LDAPI, dn=None, dnpass=None, sasl_bind="yes", sasl_mech="EXTERNAL")
    with pair.together():
        pair.user("alice")
        pair.logins([plain("alice"), plain("alice", "wrong")])


def test_sasl_with_a_password():
    """`dn` is the authentication name; sasl_authz_id would be somebody whose rights it takes."""
    for more in ({}, {"sasl_realm": "mailhost.maildomain.test"}, {"sasl_authz_id": "u:Bob"}):
        pair = use(**{"dn": "Bob", "dnpass": "bobpw", "sasl_bind": "yes", "sasl_mech": "DIGEST-MD5", **more})
        with pair.together():
            pair.user("alice")
            pair.user("nobody")


def test_nobody_becomes_somebody_else_by_sasl():
    """sasl_authz_id of somebody whose rights the server does not give: a temporary failure."""
    pair = use(dn="Bob", dnpass="bobpw", sasl_bind="yes", sasl_mech="DIGEST-MD5", sasl_authz_id="u:alice")
    assert pair.culver.master().user("alice").kind == "FAIL"


def test_settings_of_the_library():
    """A file of ldap.conf(5)'s kind may name the authorities; debug_level changes no answer."""
    path = "/etc/pair/ldaprc"
    private.install_file(path, f"TLS_CACERT {CERTIFICATES}/ca.pem\n")
    for more in ({"ldaprc_path": path, "tls": "yes"}, {"debug_level": "1"}):
        pair = use(**more)
        with pair.together():
            pair.user("alice")
            pair.login(plain("alice"))
            pair.login(plain("alice", "wrong"))
        assert pair.culver.master().user("alice").kind == "USER", pair.culver.log()[-2000:]


def test_anonymous_and_wrong_dnpass_are_temporary_failures():
    pair = use(dn=None, dnpass=None)
    with pair.together():
        pair.user("alice")
        pair.login(plain("alice"))
    pair = use(dnpass="wrong")
    with pair.together():
        assert pair.culver.auth().login(plain("alice")).get("code") == "temp_fail"
        assert pair.culver.master().user("alice").kind == "FAIL"
    pair.culver.wait_log("binding .dn cn=manager.*Invalid credentials")


def test_every_accepted_difference_is_real():
    assert not state["pair"].unused(), state["pair"].unused()


CLEANUP = [lambda: state["pair"].stop(), lambda: state["slapd"].stop()]

if __name__ == "__main__":
    case.main(globals())
