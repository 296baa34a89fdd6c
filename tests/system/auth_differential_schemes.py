#!/usr/bin/env python3
"""Every password scheme with every encoding: hashes made by Dovecot's `doveadm pw` and by Culver's, random passwords
among them, checked by both servers for PLAIN and for each challenge mechanism. Both must accept and refuse alike, and
doveadm pw -t of each must verify the other's hashes."""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import case, private, sasl
from harness.authrules import ALL, USERS, all_met, database, row, start, state, stop

LETTERS = "abcXYZ0189 !\"#$%&'()*+,-./;<=>?@[\\]^_`{|}~äß€中"
chance = random.Random(20261120)
PASSWORDS = {"short": "secret", "utf8": "pässwörd€", "long": "abcdefghij" * 20,
             "random": "".join(chance.choices(LETTERS, k=chance.randint(8, 30))),
             "other": "".join(chance.choices(LETTERS, k=60))}


def test_start():
    private.install_file(USERS, "")
    start(ALL + "auth_username_chars =\n" + database("passdb", "passwd-file", USERS))


def test_the_same_schemes_are_listed():
    pair = state["pair"]
    listed = pair.compare("doveadm pw -l", lambda peer: sorted(peer.doveadm("pw", "-l").stdout.split()))
    assert len(listed) == 31, listed
    state["schemes"] = listed


def test_hashes_are_made_by_both():
    pair = state["pair"]
    lines, rows = [], []
    for peer in pair.peers:
        for scheme in state["schemes"]:
            for suffix in ("", ".b64", ".base64", ".hex"):
                for name, password in PASSWORDS.items():
                    slow = scheme.startswith("ARGON")
                    if (suffix and name != "random") or (slow and (suffix or name != "random")):
                        continue
                    user = f"{peer.name}-{scheme}{suffix}-{name}".lower()
                    made = peer.doveadm("pw", "-s", scheme + suffix, "-p", password, "-u", user)
                    assert made.returncode == 0, (user, made.stderr)
                    hashed = made.stdout.rstrip("\n")
                    if ":" not in hashed:
                        lines.append(f"{user}:{hashed}\n")
                        rows.append((user, password, hashed, scheme, suffix))
    private.install_file(USERS, "".join(lines))
    state["rows"] = rows
    assert len(rows) > 400, len(rows)


def test_both_verify_the_hashes_of_both():
    pair, rows = state["pair"], state["rows"]
    with pair.together():
        said = pair.logins([row(sasl.Plain, user, password) for user, password, *_ in rows])
        pair.logins([row(sasl.Plain, user, password + "x") for user, password, *_ in rows])
        pair.logins([row(sasl.Plain, user, password[:-1]) for user, password, *_ in rows])
    refused = {scheme for reply, (_, _, _, scheme, _) in zip(said, rows) if reply.kind != "OK"}
    assert refused == {"PLAIN-TRUNC"}, refused  # made without its length, as in Dovecot


def test_challenge_mechanisms_accept_the_same_hashes():
    pair = state["pair"]
    for mechanism in (sasl.CramMd5, sasl.DigestMd5, sasl.ScramSha1, sasl.ScramSha256):
        rows = [entry for entry in state["rows"] if not (entry[4] and mechanism in (sasl.ScramSha1, sasl.ScramSha256))]
        with pair.together():
            said = pair.logins([row(mechanism, user, password) for user, password, *_ in rows])
            pair.logins([row(mechanism, user, password + "x") for user, password, *_ in rows
                         if user.endswith("random")])
        accepted = {scheme for reply, (_, _, _, scheme, _) in zip(said, rows) if reply.kind == "OK"}
        assert {"PLAIN", "CLEAR", "CLEARTEXT"} <= accepted, (mechanism.name, accepted)


def test_doveadm_verifies_the_hashes_of_the_other():
    pair = state["pair"]
    with pair.together():
        for user, password, hashed, scheme, suffix in state["rows"]:
            if user.endswith("random") and suffix == "":
                for given in (password, "wrong"):
                    pair.doveadm("pw", "-t", hashed, "-p", given, "-u", user,
                                 normalise=lambda said: (said[0], said[1]))


def test_every_accepted_difference_is_there():
    all_met()


CLEANUP = [stop]

if __name__ == "__main__":
    case.main(globals())
