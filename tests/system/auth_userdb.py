#!/usr/bin/env python3
"""The userdb side: every userdb driver, alone and in order, with its templates, rules and fields. The same lookups
(USER, PASS, LIST, and the REQUEST of a mail process after a login) go to Debian's Dovecot and to Culver, and the
replies must be equal field by field. What differs on purpose stands in ACCEPTED; each must show, or this file fails."""

import os
import shutil
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, sasl, slapd
from harness.authpair import Accepted, Pair
from harness.slapd import BASE, MANAGER, MANAGER_PASSWORD, PEOPLE, entry, person, ssha

HERE = os.path.dirname(os.path.abspath(__file__))
DIR = "/etc/pair"
USERS = r"""bob:{PLAIN}secret:5000:5000::/home/bob::userdb_quota_rule=*:storage=1G
named:{PLAIN}secret:vmail:vmail::/home/named::
nouid:{PLAIN}secret::5000::/home/nouid::
nogid:{PLAIN}secret:5000:::/home/nogid::
neither:{PLAIN}secret::::/home/neither::
nohome:{PLAIN}secret:5000:5000::::
tilde:{PLAIN}secret:5000:5000::~/mail::
othertilde:{PLAIN}secret:5000:5000::~vmail/mail::
relative:{PLAIN}secret:5000:5000::mail/%u::
template:{PLAIN}secret:5000:5000::/home/%d/%n/%1n::userdb_a=%u-%n-%d-%Lu-%Un-%l-%r-%s userdb_b=%{if;%d;eq;ex.test;in;out}
Big@Ex.Test:{PLAIN}secret:5000:5000::/home/Big::
big@ex.test:{PLAIN}secret:5000:5000::/home/%u/%d::userdb_a=%{if;%d;eq;ex.test;in;out}%{domain}
mail:{PLAIN}secret:5000:5000::/h::userdb_mail=maildir:~/Maildir:INDEX=/i/%u userdb_uid=vmail userdb_gid=5001 userdb_home=/o
flags:{PLAIN}secret:5000:5000::/h::userdb_nice userdb_empty= userdb_quota_rule=*:bytes=5 userdb_quota_rule2=Trash:+10%%
renamed:{PLAIN}secret:5000:5000::/h/%u::user=bob userdb_x=%u
userdbuser:{PLAIN}secret:5000:5000::/h/%u::userdb_user=ann userdb_x=%u
fail:{PLAIN}secret:5000:5000::/h::userdb_fail=because fail
noext:{PLAIN}secret:5000:5000::/h::foo=bar nologin allow_nets=192.0.2.0/24
import:{PLAIN}secret:5000:5000::/h::userdb_userdb_import=k=v
tempfail:{PLAIN}secret:5000:5000::/h::userdb_tempfail=yes
"""
MORE = """bob:{PLAIN}secret:6000:6000::/more/bob::userdb_more=1 userdb_quota_rule=*:storage=2G
onlymore:{PLAIN}secret:6001:6001::/more/only::userdb_more=2
"""
FILE_NAMES = [line.split(":")[0] for line in USERS.splitlines()]
NAMES = ["bob", "BOB", "named", "onlymore", "nobody", "big@ex.test", "BIG@EX.TEST", "bob@ex.test", "x@y@z", ""]
ROWS = [("bob", "ex.test", 5000, 5000, "/sql/bob", "*:storage=3G"), ("named", "", "vmail", "vmail", "/sql/named", None),
        ("nouid", "", None, 5000, "/sql/nouid", ""), ("nogid", "", 5000, None, "/sql/nogid", None),
        ("nohome", "", 5000, 5000, None, None), ("tilde", "", 5000, 5000, "~/x", None),
        ("relative", "", 5000, 5000, "x/y", None), ("baduid", "", "nosuch", 5000, "/h", None),
        ("negative", "", -1, 5000, "/h", None), ("root", "", 0, 0, "/root", None),
        ("twice", "", 5000, 5000, "/first", "1"), ("twice", "", 5001, 5001, "/second", "2"),
        ("tab", "", 5000, 5000, "/a\tb", "x\ny"), ("per%cent", "", 5000, 5000, "/h/%u", "%u%%"),
        ("onlysql", "", 5003, 5003, "/sql/only", "q")]
SQL_NAMES = list(dict.fromkeys(row[0] for row in ROWS)) + ["bob@ex.test", "BOB@ex.test", "nobody", "x' OR '1'='1"]
SQL = f"driver = sqlite\nconnect = {DIR}/db/users.sqlite\n"
USER_QUERY = ("SELECT uid, gid, home, quota AS quota_rule FROM users WHERE name = '%n' AND (domain = '%d' OR domain = "
              "'')")
LDAP = f"hosts = 127.0.0.1\ndn = {MANAGER}\ndnpass = {MANAGER_PASSWORD}\nbase = {PEOPLE}\n"
RULES = ("return", "return-ok", "return-fail", "continue", "continue-ok", "continue-fail")
PLACE = "service=imap\tlip=192.0.2.1\trip=192.0.2.7\tlport=143\trport=4000"


def failing_list(what, theirs, ours):
    return "LIST" in what and "closed" in what and ours.fields[-1:] == ["fail"] and (
        sorted(theirs.fields) == sorted(ours.fields[:-1] + [""]))


def without_empty(reply):
    return reply.kind, sorted(field.removesuffix("@") for field in reply.fields if field)


ACCEPTED = {
    "missing-file": Accepted(
        "a passwd-file that serves everybody and is not there: a file system that is not mounted, so that mail waits; "
        "Dovecot knows nobody, and mail bounces",
        lambda what, theirs, ours: f"passwd-file {DIR}/nosuch" in what and (theirs.kind, ours.kind) == ("NOTFOUND",
                                                                                                        "FAIL")),
    "incomplete-list": Accepted("a list without the users of a file that cannot be read says that it failed",
                                failing_list),
    "no-domain-no-file": Accepted(
        "a path with %d and a user without a domain: no file is his; Dovecot reads the one in the folder above",
        lambda what, theirs, ours: ("/%d/users" in what or "a file for each domain" in what)
        and (theirs.kind, ours.kind) == ("USER", "NOTFOUND")),
    "empty-domain": Accepted(
        "an empty domain of a database is none: no @ stands behind the name",
        lambda what, theirs, ours: what.startswith("sql") and without_empty(theirs) == without_empty(ours)),
    "networks-of-lookups": Accepted(
        "allow_nets is about logins: a lookup has no address, and mail for the user is taken",
        lambda what, theirs, ours: " noext" in what and "REQUEST" not in what and ours.kind in ("USER", "PASS")),
    "process-id": Accepted(
        "%{pid} is the process that expands it, as in other settings; Dovecot's auth has that of its client there, or "
        "0",
        lambda what, theirs, ours: what.startswith("process id: USER bob") and theirs.get("a") == "0"
        and ours.get("a").isdigit()),
    "nobody-is-nobody": Accepted(
        "an empty name is refused, whatever the settings would make of it",
        lambda what, theirs, ours: "USER  service" in what and ours.kind == "NOTFOUND" and (
            theirs.get("home") or "").startswith("/h/@")),
}
state = {}


def userdb(driver, args="", *settings):
    return block("userdb", driver, args, settings)


def passdb(driver, args="", *settings):
    return block("passdb", driver, args, settings)


def block(kind, driver, args, settings):
    lines = [f"driver = {driver}"] + ([f"args = {args}"] if args else []) + list(settings)
    return f"{kind} {{\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


FILE_PASSDB = passdb("passwd-file", f"{DIR}/users")
FILE, FILE_MORE = f"{DIR}/users", f"{DIR}/more"


def compare(what, config, users=NAMES, params=("service=imap",), stored=(), logins=()):
    """One configuration: USER of these names, PASS of `stored`, REQUEST after `logins`, and LIST."""
    pair = state["pair"]
    pair.restart("auth_username_chars =\nauth_mechanisms = plain cram-md5\n" + config)

    def put(request, ask, **options):
        pair.compare(f"{what}: {request}", ask, **options)
    for name in users:
        for place in params:
            put(f"USER {name} {place}", lambda peer: peer.master().user(name, place))
    for name in stored:
        put(f"PASS {name}", lambda peer: peer.master().passdb(name))
    for name, more in logins:
        put(f"REQUEST {name} {more}", lambda peer: picked_up(peer, name, more))
    put("LIST", lambda peer: peer.master().list())


def picked_up(peer, name, more):
    """A login on a login socket, and what the mail process then hears."""
    client = peer.new_auth("auth-login")
    login = sasl.Plain(name, "secret")
    id = client.start(login, f"{PLACE}\tsecured\tno-penalty\tsession=s1{more}")
    reply = client.finish(login, id)
    given = peer.master().request(client, id) if reply.kind == "OK" else None
    client.close()
    return [reply, given]


def test_start():
    for name, uid in (("vmail", 5000), ("sysone", 6001), ("noshell", 6002)):
        private.add_user(name, uid=uid, home=f"/home/{name}", password="secret",
                         shell="/usr/sbin/nologin" if name == "noshell" else "/bin/bash")
    private.install_file(f"{DIR}/users", USERS)
    private.install_file(f"{DIR}/more", MORE)
    private.install_file(f"{DIR}/closed", "", mode=0o600)
    os.makedirs(f"{DIR}/db")
    os.chmod(f"{DIR}/db", 0o777)
    with sqlite3.connect(f"{DIR}/db/users.sqlite") as database:
        database.execute("CREATE TABLE users (name, domain, uid, gid, home, quota)")
        database.executemany("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?)", ROWS)
    database.close()
    os.chmod(f"{DIR}/db/users.sqlite", 0o666)
    shutil.copytree(os.path.join(HERE, "checkpassword"), f"{DIR}/programs")
    private.install_file(f"{DIR}/sh-users", "bob@example.test:secret\n")
    state["slapd"] = slapd.Slapd()
    state["slapd"].load([
        person("bob", ssha("secret"), mailQuota="*:storage=4G", mail="bob@ex.test"),
        person("onlyldap", ssha("secret"), uidNumber="5009"), person("named", ssha("x"), mailFlag="vmail"),
        person("nohome", ssha("x"), objectClass=["person", "mailUser"], homeDirectory=None, uidNumber=None,
               gidNumber=None),
        person("tilde", ssha("x"), homeDirectory="~/x"), person("relative", ssha("x"), homeDirectory="x/y"),
        entry(f"cn=none,{BASE}", objectClass="organizationalRole", cn="none")])
    state["slapd"].start()
    Pair.ACCEPTED = ACCEPTED
    state["pair"] = Pair(FILE_PASSDB)


def test_passwd_file():
    with state["pair"].together():
        for args in (FILE, f"username_format=%n {FILE}", f"username_format=%Lu {FILE}", f"username_format=bob {FILE}",
                     f"username_format=%Ln@%Ld {FILE}", f"{DIR}/nosuch", f"{DIR}/closed", f"{DIR}/%d/users"):
            compare(f"passwd-file {args}", FILE_PASSDB + userdb("passwd-file", args),
                    [*FILE_NAMES, *NAMES] if args == FILE else NAMES,
                    ("service=imap", PLACE) if args == FILE else ("service=imap",), FILE_NAMES if args == FILE else (),
                    [(name, "") for name in FILE_NAMES] if args == FILE else ())


def test_passwd():
    with state["pair"].together():
        for args in ("", "home=/mail/%u", "home=~/mail", "home=mail/%n", "uid=vmail gid=vmail",
                     "uid=7 gid=root x=%u y z=",
                     "blocking=no", "home=/%Lu/%d/%{if;%n;eq;sysone;a;b} quota_rule=*:storage=1G mail=maildir:~/M"):
            compare(f"passwd {args}", FILE_PASSDB + userdb("passwd", args),
                    ["sysone", "SYSONE", "noshell", "root", "daemon", "vmail", "nosuch", "sysone@ex.test", "", "bob"],
                    ("service=imap", PLACE))


def test_static():
    templates = ("home=/h/%u/%n/%d/%1n/%2.2n/%Lu/%Ud/%{if;%d;eq;ex.test;in;out} uid=5000 gid=5000",
                 "home=/%l/%r/%s/%a/%b/%{lport} a=%{service}.%{real_rip}.%{session} uid=5000 gid=5000",
                 "a=%{orig_user}.%{auth_user}.%{login_user}.%{domain_first}.%{domain_last} uid=5000 gid=5000",
                 "a=%{passdb:foo}.%{userdb:uid}.%{passdb:foo:none}.%{userdb:a:none} uid=5000 gid=5000",
                 "a=%Hn.%2Hn.%Rn.%Mn uid=5000 gid=5000")
    fields = ("uid=vmail gid=vmail home=/srv/%d/%n", "uid=5000 gid=5001 home=/h quota_rule=*:storage=1G q2=a=b flag "
                                                     "empty=",
              "gid=5000 home=/h", "uid=5000 home=/h", "home=/h", "uid=5000 gid=5000", "uid=5000 gid=5000 home=~/x",
              "uid=5000 gid=5000 home=x/y", "uid=0 gid=0 home=/root", "", "user=other uid=1 gid=1",
              "uid=5000 gid=5000 home=/h user=%n@fixed mail=maildir:~/M:LAYOUT=fs")
    names = ["vmail", "sysone", *NAMES]
    with state["pair"].together():
        for args in (*templates, *fields):
            for everybody in ("", " allow_all_users=yes"):
                compare(f"static {args}{everybody}", FILE_PASSDB + userdb("static", (args + everybody).strip()), names,
                        ("service=imap", PLACE) if args in templates else ("service=imap",), (),
                        [("bob", ""), ("noext", "\tforward_fields=x=1")] if everybody else ())


def test_the_process_id():
    compare("process id", FILE_PASSDB + userdb("static", "uid=5000 gid=5000 home=/h a=%{pid}"), ["bob"])


def test_whom_userdb_static_takes_for_a_user():
    """Every kind of passdb is asked whether somebody exists."""
    static = userdb("static", "uid=5000 gid=5000 home=/h/%u")
    install("sql", SQL + "password_query = SELECT NULL AS password, 'y' AS nopassword FROM users WHERE name = '%n'\n")
    install("ldap", LDAP)
    with state["pair"].together():
        for what, passdbs in {
                "shadow": passdb("shadow"), "passwd": passdb("passwd"), "sql": passdb("sql", f"{DIR}/sql.conf"),
                "ldap": passdb("ldap", f"{DIR}/ldap.conf"), "static": passdb("static", "password=x"),
                "checkpassword": passdb("checkpassword", f"{DIR}/programs/both.bash"),
                "closed": passdb("passwd-file", f"{DIR}/closed"),
                "closed, file": passdb("passwd-file", f"{DIR}/closed") + FILE_PASSDB,
                "file, closed": FILE_PASSDB + passdb("passwd-file", f"{DIR}/closed"),
                "deny": passdb("passwd-file", FILE_MORE, "deny = yes") + FILE_PASSDB,
                "filter": passdb("passwd-file", FILE, "username_filter = n*"),
                "mechanisms": passdb("passwd-file", FILE, "mechanisms = cram-md5"),
                "two": passdb("passwd-file", FILE_MORE) + FILE_PASSDB}.items():
            compare(f"static behind {what}", passdbs + static, ["bob", "onlymore", "nobody", "sysone",
                                                                "bob@example.test",
                                                               "onlysql", "onlyldap", "named", "fail", "noext"])


def install(name, text):
    private.install_file(f"{DIR}/{name}.conf", text)
    return f"{DIR}/{name}.conf"


def test_sql():
    queries = (
        f"user_query = {USER_QUERY}\niterate_query = SELECT name AS user FROM users\n",
        f"user_query = {USER_QUERY}\niterate_query = SELECT name AS username, domain FROM users\n",
        "user_query = SELECT * FROM users WHERE name = '%Ln'\niterate_query = SELECT name AS user FROM users WHERE "
        "uid > 0\n",
        "user_query = SELECT home, uid, gid, NULL AS nothing, '' AS empty, 'y' AS nice, '%u %d %s %l' AS a FROM users "
        "WHERE name = '%n'\n",
        "user_query = SELECT 'maildir:/x/%u' AS mail, home, '*:bytes=' || uid AS quota_rule, name || '@x' AS user, 1 "
        "AS uid, "
        "'vmail' AS gid FROM users WHERE name = '%n'\niterate_query = SELECT name FROM users\n",
        "user_query = SELECT home FROM nosuch\niterate_query = SELECT user FROM nosuch\n",
        "user_query = SELECT 'fail' AS fail, uid, gid FROM users WHERE name = '%n'\niterate_query = SELECT 1\n",
        "user_query = SELECT uid, gid, home FROM users WHERE name = '%n' AND '%{if;%d;eq;ex.test;1;0}' = '1'\n"
        "iterate_query = SELECT NULL AS user\n")
    with state["pair"].together():
        for number, query in enumerate(queries):
            compare(f"sql {number}", FILE_PASSDB + userdb("sql", install("sql", SQL + query)), SQL_NAMES,
                    ("service=imap", PLACE) if number == 3 else ("service=imap",))


def test_ldap():
    attributes = ("homeDirectory=home, uidNumber=uid, gidNumber=gid, mailQuota=quota_rule",
                  "homeDirectory=home, =uid=vmail, =gid=vmail, =mail=maildir:~/%n/%d/%s, =a=%{if;%n;eq;bob;in;out}",
                  "mailFlag=uid, mailFlag=gid, =home=/h/%{ldap:uid}", "=home=~/x, =uid=5000, =gid=5000, =flag=, "
                                                                      "=user=%{ldap:uid}",
                  "")
    with state["pair"].together():
        for attrs in attributes:
            config = install("ldap", LDAP + f"user_attrs = {attrs}\nuser_filter = (&(objectClass=mailUser)(uid=%n))\n"
                             "iterate_attrs = uid=user\niterate_filter = (objectClass=posixAccount)\n")
            compare(f"ldap {attrs}", FILE_PASSDB + userdb("ldap", config),
                    ["bob", "BOB", "bob@ex.test", "onlyldap", "named", "nohome", "tilde", "relative", "nobody", "*",
                     ""],
                    ("service=imap", PLACE))


def test_checkpassword():
    with state["pair"].together():
        for program, names in (("both.bash", ["bob@example.test", "BOB@example.test", "nobody@example.test", "bob"]),
                               ("fields.py", ["bob", "ann@alias.test", "inside", "nobody"]), ("nosuch", ["bob"]),
                               ("plain.sh", ["bob@example.test"])):
            compare(f"checkpassword {program}", FILE_PASSDB + userdb("checkpassword", f"{DIR}/programs/{program}"),
                    names)


def test_prefetch():
    prefetch = userdb("prefetch")
    logins = [(name, "") for name in FILE_NAMES]
    with state["pair"].together():
        compare("prefetch alone", FILE_PASSDB + prefetch, ["bob", "nobody"], logins=logins)
        compare("prefetch, file", FILE_PASSDB + prefetch + userdb("passwd-file", FILE_MORE), logins=logins)
        compare("file, prefetch", FILE_PASSDB + userdb("passwd-file", FILE_MORE) + prefetch, logins=logins)
        compare("prefetch with rules", FILE_PASSDB + userdb("prefetch", "", "result_success = continue-ok",
                                                            "default_fields = d=1",
                                                            "override_fields = o=1 uid=7")
                + userdb("passwd-file", FILE_MORE), logins=logins)
        fields = "userdb_uid=5000 userdb_gid=vmail userdb_home=/pre/%u userdb_mail=maildir:~/%d userdb_quota_rule=*:bytes=1"
        compare("static passdb, prefetch", passdb("static", f"password=secret foo=1 {fields}") + prefetch,
                logins=[("bob", ""), ("Bob@Ex.Test", ""), ("x@y@z", "")])
        compare("default_fields of the passdb, prefetch", passdb(
            "passwd-file", FILE, "default_fields = userdb_uid=5007 userdb_gid=5007 userdb_home=/def/%n",
            "override_fields = userdb_over=%u userdb_quota_rule=none") + prefetch, logins=logins)
        for given in ("", "userdb_home=/h", "userdb_uid=5000 userdb_gid=5000", "userdb_uid=5000",
                      "userdb_uid=nosuch userdb_gid=5000",
                      "userdb_gid=5000", "userdb_uid=vmail userdb_gid=vmail userdb_home=~/x", "userdb_x=1"):
            compare(f"prefetch of {given!r}", passdb("static", f"password=secret {given}".strip()) + prefetch, ["bob"],
                    logins=[("bob", "")])


FIRST = {"sql": lambda: userdb("sql", install("sql", SQL + f"user_query = {USER_QUERY}\n"
                                              "iterate_query = SELECT name AS user FROM users\n")),
         "ldap": lambda: userdb("ldap", install("ldap", LDAP + "iterate_filter = (objectClass=posixAccount)\n")),
         "passwd": lambda: userdb("passwd", "home=/passwd/%u"), "static": lambda: userdb("static",
                                                                                         "uid=5 gid=5 home=/static"),
         "checkpassword": lambda: userdb("checkpassword", f"{DIR}/programs/both.bash")}
ORDERED = ["bob", "onlymore", "onlysql", "onlyldap", "sysone", "nouid", "nohome", "nobody", "bob@example.test",
           "baduid"]


def test_several_in_order():
    with state["pair"].together():
        for name, first in FIRST.items():
            for rule in RULES if name in ("sql", "ldap") else RULES[-3:]:
                for result in ("success", "failure"):
                    compare(f"{name} with result_{result} = {rule}, file", FILE_PASSDB + first().replace(
                        "}", f"  result_{result} = {rule}\n}}") + userdb("passwd-file", FILE_MORE), ORDERED)


def test_databases_that_cannot_be_asked():
    broken = {"closed": userdb("passwd-file", f"{DIR}/closed"),
              "sql": userdb("sql", install("brokensql", SQL + "user_query = SELECT x FROM nosuch\n")),
              "checkpassword": userdb("checkpassword", f"{DIR}/programs/nosuch")}
    file = userdb("passwd-file", FILE_MORE)
    with state["pair"].together():
        for name, first in broken.items():
            for rule in RULES if name in ("closed", "sql") else ("continue", "return-fail"):
                with_rule = first.replace("}", f"  result_internalfail = {rule}\n}}")
                compare(f"broken {name} with result_internalfail = {rule}, file", FILE_PASSDB + with_rule + file,
                        ["bob", "onlymore", "nobody"])
                compare(f"file, broken {name} with result_internalfail = {rule}", FILE_PASSDB + file.replace(
                    "}", "  result_success = continue-ok\n}") + with_rule, ["bob", "onlymore", "nobody"])


def test_skip():
    with state["pair"].together():
        for skip in ("found", "notfound", "never"):
            for first in ("continue-ok", "continue", "continue-fail"):
                for name in ("sql", "passwd"):
                    compare(f"{name} with {first}, skip = {skip}", FILE_PASSDB + FIRST[name]().replace(
                        "}", f"  result_success = {first}\n}}") + userdb("passwd-file", FILE_MORE, f"skip = {skip}")
                        + userdb("passwd-file", FILE, f"skip = {skip}"), ORDERED)


def test_default_fields_and_override_fields():
    default = "default_fields = home=/def/%u/%d uid=vmail gid=vmail quota_rule=def d=%{if;%n;eq;bob;a;b} flag mail=maildir:~/M"
    override = "override_fields = home=~/over/%n uid=5005 gid=root o=%u quota_rule=over new= x=%{userdb:quota_rule}"
    with state["pair"].together():
        for name, first in {**FIRST, "file": lambda: userdb("passwd-file", FILE),
                            "prefetch": lambda: userdb("prefetch")}.items():
            for settings in ((default,), (override,), (default, override)):
                more = "".join(f"  {line}\n" for line in settings)
                compare(f"{name} with {'; '.join(line.split(' ')[0] for line in settings)}",
                        FILE_PASSDB + first().replace("}", more + "}"), ORDERED, logins=[("bob", ""), ("nouid", "")])


def test_variables_of_a_login():
    """What a template knows of the login when the mail process asks."""
    template = ("home=/%u/%n/%d uid=5000 gid=5000 a=%s.%l.%r.%m.%a.%b.%c "
                "b=%{session}.%{real_rip}.%{orig_user}.%{auth_user}."
                "%{login_user} c=%{passdb:foo}.%{passdb:more:none}.%{userdb:x:none} "
                "d=%{original_username}.%{auth_username}")
    more = "auth_master_user_separator = *\n" + passdb("passwd-file", FILE_MORE, "master = yes",
                                                       "result_success = continue",
                                                       "default_fields = foo=master")
    with state["pair"].together():
        compare("variables", FILE_PASSDB + userdb("static", template), logins=[(name, "") for name in FILE_NAMES])
        compare("variables of a master user", more + FILE_PASSDB + userdb("static", template),
                logins=[("bob*onlymore", ""), ("named*bob", ""), ("big@ex.test*onlymore", ""), ("nobody*onlymore", "")])
        compare("the fields of one userdb in the next", FILE_PASSDB + userdb(
            "passwd-file", FILE, "result_success = continue-ok") + userdb("static",
                                                                          "y=%{userdb:home}.%{userdb:quota_rule:none}"
                                                                         ".%{passdb:foo}"), FILE_NAMES,
                logins=[(name, "") for name in FILE_NAMES])


def test_names_before_the_lookup():
    static = userdb("static", "uid=5000 gid=5000 home=/h/%u/%n/%d allow_all_users=yes")
    with state["pair"].together():
        for settings in ("auth_username_format = %n\n", "auth_username_format = %Lu\n", "auth_username_format =\n",
                         "auth_default_realm = ex.test\n", "auth_username_translation = %@/_\n",
                         "auth_username_format = %n@fixed.test\n", "auth_realms = ex.test\n"):
            for last, what in ((static, "static"), (userdb("passwd-file", FILE), "file")):
                compare(f"{settings.strip()} with {what}", settings + FILE_PASSDB + last, [*NAMES, "bob%ex.test",
                                                                                           "a/b"],
                        logins=[("bob", ""), ("Big@Ex.Test", "")])


def test_protocol_blocks():
    blocks = """protocol imap {
  userdb {
    driver = static
    args = uid=5001 gid=5001 home=/imap/%n allow_all_users=yes
  }
}
protocol lmtp {
  userdb {
    driver = passwd-file
    args = /etc/pair/more
  }
  auth_username_format = %n
}
protocol !smtp {
  auth_default_realm = ex.test
}
"""
    services = [f"service={name}" for name in ("imap", "lmtp", "smtp", "doveadm", "pop3", "quota-status")]
    with state["pair"].together():
        compare("protocol blocks", "protocols = imap lmtp\n" + NO_PORTS + FILE_PASSDB + userdb("passwd-file", FILE)
                + blocks,
                ["bob", "nobody", "named", "onlymore", "big@ex.test"], services, ["bob", "onlymore"])
        compare("only in protocol blocks", "protocols = imap lmtp\n" + NO_PORTS + FILE_PASSDB + blocks,
                ["bob", "nobody", "onlymore"], services)


NO_PORTS = """service imap-login {
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = 0
  }
}
"""


def test_lists_over_several_databases():
    """LIST gives what each database has; one that cannot tell makes the whole a failure."""
    file, more = userdb("passwd-file", FILE), userdb("passwd-file", FILE_MORE)
    sql, ldap, system = FIRST["sql"](), FIRST["ldap"](), userdb("passwd")
    static = userdb("static", "uid=1 gid=1 home=/h")
    unable = userdb("checkpassword", f"{DIR}/programs/both.bash")
    silent = userdb("sql", install("silent", SQL + f"user_query = {USER_QUERY}\n"))
    broken = userdb("sql", install("broken", SQL + "user_query = SELECT 1\niterate_query = SELECT x FROM nosuch\n"))
    with state["pair"].together():
        for what, config in {
                "file, more": file + more, "file, sql, ldap": file + sql + ldap, "ldap, passwd": ldap + system,
                "passwd": system, "static": static, "static, file": static + file, "file, static": file + static,
                "prefetch, file": userdb("prefetch") + file, "prefetch": userdb("prefetch"), "checkpassword": unable,
                "checkpassword, file": unable + file, "sql without iterate_query": silent,
                "file, sql without iterate_query": file + silent, "broken sql": broken, "file, broken "
                                                                                        "sql": file + broken,
                "broken sql, file": broken + file, "nothing": "", "the same twice": file + file,
                "closed": userdb("passwd-file", f"{DIR}/closed"), "file, closed": file + userdb("passwd-file",
                                                                                                f"{DIR}/closed"),
                "a file for each domain": userdb("passwd-file", f"{DIR}/%d/users"),
                "username_format": userdb("passwd-file", f"username_format=%n {FILE}")}.items():
            compare(f"list of {what}", FILE_PASSDB + config, ["bob"])
        compare("first_valid_uid", "first_valid_uid = 6002\nlast_valid_uid = 6100\n" + FILE_PASSDB + system,
                ["sysone", "root"])


def test_every_accepted_difference_is_real():
    pair = state["pair"]
    print(f"   {pair.count} comparisons; accepted: {pair.used}")
    assert not pair.unused(), pair.unused()


CLEANUP = [lambda: state["pair"].stop(), lambda: state["slapd"].stop()]

if __name__ == "__main__":
    case.main(globals())
