"""What differs between Debian's Dovecot and Culver on purpose, each with its reason, and the small helpers of the
differential tests (tests/system/auth_differential*.py). The list stands in docs/auth-protocol.md too."""

from . import sasl
from .authpair import Accepted, Pair

CHALLENGES = ("CRAM-MD5", "DIGEST-MD5", "SCRAM-")
EMPTY_PASSWORD = ("an empty stored password matches nothing, by no mechanism: whoever wants logins without a password "
                  "says nopassword")


def fields(reply):
    return {field for field in reply.fields if field}


def both_fail(what, theirs, ours):
    return what.startswith(CHALLENGES) and theirs.kind == ours.kind == "FAIL" and theirs.steps == ours.steps


def named(reply):
    return reply.get("user") or (reply.fields[0] if reply.kind in ("USER", "PASS") and reply.fields else "") or ""


def refused_early(what, theirs, ours):
    """SCRAM: a challenge here, none there, and nobody gets in."""
    return what.startswith("SCRAM") and theirs.kind == ours.kind == "FAIL" and theirs.steps and not ours.steps


def switched_flag(what, theirs, ours):
    bare = {field.split("=")[0].replace("proxy_maybe", "proxy") for field in fields(theirs) ^ fields(ours)}
    return what.startswith("PASS") and theirs.kind == ours.kind == "PASS" and bare <= {"nologin", "proxy"}


ACCEPTED = {
    "fields-of-the-refused": Accepted(
        "Dovecot sends the passdb's extra fields to a client whose CRAM-MD5, DIGEST-MD5 or SCRAM proof was wrong (not "
        "for "
        "PLAIN), a second column named Password among them; what a database says is for those who have proven "
        "themselves",
        lambda what, theirs, ours: both_fail(what, theirs, ours) and fields(ours) < fields(theirs)),
    "name-of-the-refused-master": Accepted(
        "a master user's wrong proof: Dovecot answers with code=authz_fail and the other user's name before anything "
        "is "
        "proven",
        lambda what, theirs, ours: what.startswith(CHALLENGES) and theirs.kind == ours.kind == "FAIL"
        and theirs.get("code") == "authz_fail"),
    "login-name-later": Accepted(
        "LOGIN with a name that the rules refuse: Culver asks for the password all the same",
        lambda what, theirs, ours: what.startswith("LOGIN") and theirs.kind == ours.kind == "FAIL"
        and theirs.steps == ["Username:"] and fields(theirs) == fields(ours)),
    "name-of-256-bytes": Accepted(
        "names end at 255 bytes",
        lambda what, theirs, ours: max(len(named(theirs)), len(named(ours))) > 255
        and ours.kind in ("FAIL", "NOTFOUND")),
    "control-characters": Accepted(
        "TAB, CR, LF and NUL are in no name, whatever auth_username_chars allows: they would mean something to the "
        "protocol and to logs",
        lambda what, theirs, ours: any(c in named(theirs) for c in "\t\r\n\0") and ours.kind in ("FAIL", "NOTFOUND")),
    "empty-password": Accepted(EMPTY_PASSWORD),
    "empty-password-scram": Accepted(EMPTY_PASSWORD, refused_early),
    "networks-and-lookups": Accepted(
        "allow_nets is about logins: a lookup (LMTP, doveadm) has no address, and Dovecot's NOTFOUND would bounce "
        "mail"),
    "authzid-in-other-letters": Accepted("an authorization identity is compared when the rules for names were applied"),
    "master-by-digest": Accepted("Dovecot's DIGEST-MD5 lets no master user in by separator; its digest has another "
                                 "name in it"),
    "master-with-pass": Accepted(
        "with pass = yes Dovecot compares a master user's challenge response with the other user's password"),
    "bad-hash-of-a-known-user": Accepted(
        "userdb static asks the passdbs whether a user exists: with a hash that nobody can read he does exist, and "
        "mail "
        "for him need not wait"),
    "modifiers-after-quoting": Accepted(
        "Dovecot quotes a name for SQL before it applies %5.5n or %M, and cuts and hashes the quoted text; Culver "
        "binds "
        "the value and quotes nothing",
        lambda what, theirs, ours: what.startswith("USER \"o'brien@")),
    "message-of-pam": Accepted(
        "failure_show_msg = yes of an expired account: Culver shows what PAM says, Dovecot its own words",
        lambda what, theirs, ours: theirs.get("reason") == "Password expired" and ours.get("code") == "pass_expired"),
    "flags-in-pass": Accepted("PASS shows flags without their values, as OK does in both", switched_flag),
    "dovecot-dies": Accepted("a field named `userdb_` or with an empty name ends Dovecot's auth process"),
    "last-line": Accepted("a last line without a line end is a user who can log in; Dovecot's LIST leaves it out"),
}
ALL = "auth_mechanisms = plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256\n"
INITIAL = (sasl.Plain, sasl.ScramSha1, sasl.ScramSha256)
EVERY = (*INITIAL, sasl.Login, sasl.CramMd5, sasl.DigestMd5)
USERS = "/etc/pair/users"
state = {}


def database(kind, driver, args="", more=""):
    return f"{kind} {{\n  driver = {driver}\n" + (f"  args = {args}\n" if args else "") + more + "}\n"


def files(passdb_more="", args=USERS):
    return database("passdb", "passwd-file", args, passdb_more) + database("userdb", "passwd-file", args)


def start(config, accepted=()):
    """Both with this configuration. `accepted`, at the first start: the differences that this file must meet."""
    if "pair" not in state:
        Pair.ACCEPTED = {name: ACCEPTED[name] for name in accepted}
        state["pair"] = Pair(config)
    else:
        state["pair"].restart(config)
    return state["pair"]


def row(mechanism, *args, accept=None, **more):
    return mechanism(*args, **more), {"initial": mechanism in INITIAL, "accept": accept}


def probe(users, passwords, mechanisms=(sasl.Plain, sasl.CramMd5, sasl.ScramSha256), lookups=True):
    pair = state["pair"]
    pair.logins([row(mechanism, user, password) for user in users for mechanism in mechanisms
                 for password in (passwords if mechanism is sasl.Plain else passwords[:2])])
    if lookups:
        for user in users:
            pair.user(user)
            pair.passdb(user)
        pair.list()


def stop():
    state["pair"].stop()


def all_met():
    """The last test of each file."""
    pair = state["pair"]
    print(f"   {pair.count} comparisons; accepted: {pair.used}")
    assert not pair.unused(), f"no difference fits any more: {pair.unused()}"
