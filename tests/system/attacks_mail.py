#!/usr/bin/env python3
"""Published flaws behind the login: hostile commands of a user, hostile messages that somebody sent him."""

import os
import re
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import attack, case, simple
from harness.attack import bounds, send_and_drain
from harness.mail import lmtp_deliver
from harness.server import wait_for
from harness.simple import PASSWORD, USER

OTHER = "other@example.test"
# Of CPU, for all that is done with a hostile message.
SECONDS = 15


def test_start():
    attack.start(users=(USER, OTHER))


def test_a_session_is_the_user_and_holds_nothing_of_others():
    """Promise 3: uid, no capability, no new privilege, no descriptor of a password file or of another user."""
    lmtp_deliver(simple.LMTP_SOCKET, [OTHER], "Subject: x\r\n\r\nx\r\n")
    client, other = attack.login(selected="INBOX"), attack.login(OTHER, selected="INBOX")
    workers = 0
    for pid in attack.state["server"].child_pids("imap"):
        facts = attack.status(pid)
        if set(facts["Uid"].split()) == {"0"}:
            continue
        workers += 1
        assert facts["Uid"].split() == ["5000"] * 4, facts["Uid"]
        assert set(facts["Gid"].split() + facts["Groups"].split()) == {facts["Gid"].split()[0]}, facts["Groups"]
        for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            assert int(facts[name], 16) == 0, (name, facts[name])
        assert facts["NoNewPrivs"] == "1"
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
            except FileNotFoundError:
                continue
            assert not re.match(r"/(etc|root|home|proc/(?!self|\d+/fd))|.*(users|shadow|\.pem)", target), target
    assert workers >= 1
    client.close()
    other.close()


def test_cve_2019_11500_nul_inside_quoted_strings():
    with bounds(growth=16):
        client = attack.login(selected="INBOX")
        for text in (b"\0", b"b\0b", b"\\\0", b"\\\\\0\\\"", b"\0" * 4000, b"\\" * 5001 + b"\0", b"x\0" * 20000):
            for command in (b'SELECT "%s"', b'SEARCH SUBJECT "%s"', b'LIST "" "%s"', b'CREATE "%s"',
                            b'ID ("name" "%s")'):
                client.send(b"n " + command % text + b"\r\n")
                answer = client.until("n")
                if not answer or not answer[-1].startswith("n BAD"):
                    assert answer and re.match(r"n (BAD|NO)|\* BYE", answer[-1]), (command, text[:20], answer[-1:])
                if "BYE" in " ".join(answer):
                    client = attack.login(selected="INBOX")
            assert client.command("k NOOP")[-1].startswith("k OK")
        client.close()


def test_cve_2024_34055_many_literals_in_one_command():
    with bounds(growth=24, cpu_seconds=10):
        client = attack.login()
        many = b"a SEARCH " + b"OR SUBJECT {3+}\r\nabc " * 10000 + b"ALL\r\n"
        answer = send_and_drain(client, many, 3)
        assert b"a OK" not in answer
        for command in (b"a LOGIN {4294967296+}\r\n", b"a SELECT {1048577+}\r\n" + b"x" * 70000,
                        b"a APPEND INBOX {4294967296+}\r\nSubject",
                        b"a APPEND INBOX {18446744073709551617}\r\n", b"a APPEND INBOX {268435457}\r\n",
                        b"a SELECT {65537}\r\n",
                        b"a SEARCH SUBJECT {65000+}\r\n" + (b"x" * 65000 + b" SUBJECT {65000+}\r\n") * 40 + b"x\r\n"):
            answer = send_and_drain(attack.login(), command, 0.7)
            assert answer and b"a OK" not in answer and not re.search(rb"^\+", answer, re.M), (command[:40],
                                                                                               answer[:200])


def test_lines_without_an_end_after_the_login():
    with bounds(growth=24, cpu_seconds=10):
        for start in (b"a SEARCH SUBJECT ", b'a SELECT "', b"a NOOP (", b"", b"a FETCH 1:* (" + b"FLAGS " * 3000):
            send_and_drain(attack.login(), start + b"(" * 20000000 if start == b"a NOOP (" else start + b"x" * 2000000,
                           0.7)


def test_nesting_numbers_and_sets_that_cannot_be():
    with bounds(growth=16, cpu_seconds=10):
        client = attack.login(selected="INBOX")
        for command in ("SEARCH " + "(" * 60 + "ALL" + ")" * 60, "SEARCH " + "NOT " * 60 + "ALL",
                        "SEARCH " + "OR ALL " * 2000 + "ALL",
                        "SEARCH " + "ALL " * 1200, "FETCH 18446744073709551617 FLAGS", "UID FETCH 4294967296 FLAGS",
                        "FETCH 1, FLAGS",
                        "FETCH 0 FLAGS", "FETCH 1:: FLAGS", "FETCH ,1 FLAGS", "STORE 1 FLAGS (" + "(" * 60,
                        "FETCH 1 BODY[1.99999999999999]",
                        "FETCH 1 BODY[]<99999999999999999999.1>", "FETCH 1 BODY[]<0.99999999999999999999>",
                        "FETCH " + ",".join(str(n * 2) for n in range(1, 11000)) + " FLAGS",
                        "SEARCH LARGER 99999999999999999999"):
            answer = client.command(f"a {command}")
            if answer and "Too many" in answer[-1] and answer[-1].startswith("* BYE"):
                client = attack.login(selected="INBOX")
                continue
            assert answer and re.match(r"a (BAD|NO) ", answer[-1]), (command[:60], answer[-1:])
            assert client.command("k NOOP")[-1].startswith("k OK")
        client.close()


def test_cve_2026_33607_patterns_of_stars():
    """2026-33607: exponential matching; Dovecot's list-a-star-bomb on 200 long names."""
    client = attack.login(OTHER)
    names = ["a" * 150 + str(number) for number in range(200)]
    client.send("".join(f"c{number} CREATE {name}\r\n" for number, name in enumerate(names)).encode())
    assert client.until("c199")[-1].startswith("c199 OK")
    with bounds(growth=16, cpu_seconds=8):
        for pattern in ("*%" * 300 + "b", "*a" * 140 + "*b", "%a" * 140 + "%b", "*" * 900 + "b",
                        "(" + "*a*b " * 40 + "x)"):
            answer = client.command(f'l LIST "" {pattern}')
            assert re.match(r"l (OK|NO|BAD)", answer[-1]) and len(answer) < 10, (pattern[:30], len(answer))
        assert client.command("l LIST \"\" \"" + "*a" * 100 + "\"")[-1].startswith("l OK")
    client.close()


def test_cve_2026_52687_compress():
    """With an unknown algorithm, and input that inflates to nothing (2026-73209)."""
    with bounds(growth=16, cpu_seconds=5):
        client = attack.login()
        offered = "COMPRESS=DEFLATE" in " ".join(client.command("c CAPABILITY"))
        for argument in ("", " NOSUCH", " \"\"", " " + "x" * 5000, " (DEFLATE)"):
            assert re.match(r"a (BAD|NO)", client.command("a COMPRESS" + argument)[-1])
        answer = client.command("a COMPRESS DEFLATE")[-1]
        assert answer.startswith("a OK") == offered, answer
        nothing = zlib.compressobj(9, zlib.DEFLATED, -15)
        send_and_drain(client, nothing.flush(zlib.Z_SYNC_FLUSH) * 50000, 1)


def test_other_peoples_rights_are_out_of_reach():
    """2021-32056, 2026-47081..47089, 2026-40020: URLAUTH, ACL, annotations; names that are paths."""
    with bounds():
        client = attack.login()
        for command in ('GENURLAUTH "imap://x/INBOX" INTERNAL', "SETACL INBOX anyone lrs",
                        'SETANNOTATION INBOX "/x" ("value" "y")',
                        "URLFETCH file:///etc/passwd", "XEXEC id", "PROXYAUTH other", "GETMETADATA INBOX /shared/x"):
            assert re.match(r"a (BAD|NO)", client.command(f"a {command}")[-1]), command
        for name in ("../other/Maildir", "..", "../../../etc", "/etc", "~root", "~/../other",
                     "INBOX/../../other/Maildir", "a/../../b", "./x",
                     "cur", "new", "tmp/..", "a//b", "%u", "${HOME}", "#shared/other", "user.other"):
            for command in ("SELECT", "STATUS", "DELETE"):
                answer = client.command(f'a {command} "{name}"' + (" (MESSAGES)" if command == "STATUS" else ""))
                assert re.match(r"a (BAD|NO)", answer[-1]), (command, name, answer[-1])
        client.close()
        assert attack.login(OTHER, selected="INBOX")


def test_twenty_bad_commands_in_a_row():
    client = attack.login()
    for _ in range(30):
        answer = client.command("a NONSENSE")
        if not answer or any(line.startswith("* BYE") for line in answer):
            break
    else:
        raise AssertionError("30 bad commands in a row are answered")
    client.close()


def test_sessions_of_one_user_from_one_address():
    """The reference's pool is used up by one user's sessions; mail_max_userip_connections is 10 by default."""
    attack.reconfigure(simple.CONFIG.replace("mail_max_userip_connections = 1000\n", "") + "auth_failure_delay = 0\n")
    clients = [attack.login() for _ in range(10)]
    one_more = attack.connect(source="127.0.0.1")
    answer = one_more.command(f"a LOGIN {USER} {PASSWORD}")
    assert re.match(r"a NO \[LIMIT\]", answer[-1]), answer
    attack.login(OTHER).close()
    elsewhere = attack.connect()
    assert elsewhere.command(f"a LOGIN {USER} {PASSWORD}")[-1].startswith("a OK")
    clients.pop().close()

    def has_room():
        again = attack.connect(source="127.0.0.1")
        answer = again.command(f"a LOGIN {USER} {PASSWORD}")
        again.close()
        return answer and answer[-1].startswith("a OK")
    wait_for(has_room, "the place of the session that ended is free")
    for client in clients:
        client.close()
    attack.reconfigure(simple.CONFIG + "auth_failure_delay = 0\n")


# Hostile messages

def nested(depth, close=True):
    kind = "Content-Type: multipart/mixed"
    text = "".join(f'{kind}; boundary="b{n}"\r\n\r\n--b{n}\r\n' for n in range(depth)) + "\r\nx\r\n"
    return text + ("".join(f"--b{n}--\r\n" for n in reversed(range(depth))) if close else "")


def headers(*lines, body="x\r\n"):
    return "\r\n".join(lines) + "\r\n\r\n" + body


def look_at(message, name, searches=("TEXT needle", "HEADER Subject needle", "FROM needle")):
    """Delivers, fetches every view of it, and deletes it."""
    reply = lmtp_deliver(simple.LMTP_SOCKET, [USER], f"Subject: {name}\r\nMessage-ID: <{name}@x.test>\r\n" + message)
    assert re.match(r"250|55[24]", reply[0]), (name, reply)
    if not reply[0].startswith("250"):
        return ""
    client = attack.login(selected="INBOX")
    client.socket.settimeout(300)
    structure = ""
    for items in ("(UID FLAGS ENVELOPE)", "BODYSTRUCTURE", "BODY",
                  "(RFC822.SIZE BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT)])",
                  "BODY.PEEK[1.1.1]", "BODY.PEEK[TEXT]<0.100>", "BINARY.PEEK[1]<0.10>", "PREVIEW"):
        answer = client.command(f"f FETCH * {items}")
        wanted = "f (OK|BAD|NO)" if re.match("BODY.PEEK.1|BINARY|PREVIEW", items) else "f OK"
        assert answer and re.match(wanted, answer[-1]), (name, items, answer[-1:])
        if items == "BODYSTRUCTURE":
            structure = " ".join(answer)
    for search in (*searches, "BODY needle", "SENTBEFORE 1-Jan-2000"):
        answer = client.command(f"s SEARCH {search}")
        assert answer and answer[-1].startswith("s OK"), (name, search, answer[-1:])
    for command in ("THREAD REFERENCES UTF-8 ALL", "SORT (SUBJECT FROM) UTF-8 ALL"):
        assert client.command(f"t {command}")[-1][:2] == "t "
    client.command("d STORE 1:* +FLAGS.SILENT (\\Deleted)")
    assert client.command("e EXPUNGE")[-1].startswith("e OK")
    client.close()
    return structure


def look_at_each(messages, growth=100, cpu_seconds=SECONDS):
    for name, message in messages.items():
        with bounds(growth=growth, cpu_seconds=cpu_seconds):
            look_at(message, name)
    if not attack.IS_SANITIZED:
        assert attack.peak("imap") < 250 and attack.peak("lmtp") < 250, (attack.peak("imap"), attack.peak("lmtp"))


def test_cve_2017_14461_invalid_addresses():
    """And 2019-19722 (empty groups), 2019-10691 (no UTF-8)."""
    odd = ("<", '"\\', "(", "", '"', "<@", "<@,@:", "a:", "group:;", ":;", "a: b: c;;", "<>", "((((", "a@", "@b",
           '"a"@', "=?utf-8?q?", "=?x?b?",
           "=?utf-8?B?////?=", "undisclosed-recipients:;" * 50, "a b c <d", "\\", "a\\", ",,,,", ";;;;", "(" * 3000,
           '"' + "\\" * 3001)
    text = "".join(f"{field}: {value}\r\n" for value in odd for field in ("From", "To", "Cc", "Sender"))
    messages = {"all-odd": text + "\r\nx\r\n"}
    for number, value in enumerate(odd[:12]):
        messages[f"odd-{number}"] = f"From: {value}\r\nTo: {value}\r\n" + ("\r\nx\r\n" if number % 2 else "")
    look_at_each(messages)


def test_cve_2020_12100_deep_nesting():
    """And 2020-25275, 2026-26312: multiparts in each other, closed or not; messages in messages; one boundary."""
    same = 'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
    look_at_each({"nest-100": nested(100), "nest-1000": nested(1000), "nest-10000": nested(10000),
                  "nest-10000-unclosed": nested(10000, False),
                  "rfc822-20000": "Content-Type: message/rfc822\r\n\r\n" * 20000 + "x\r\n",
                  "same-boundary": same * 1000 + "x\r\n--b--\r\n"},
                 cpu_seconds=20)
    structure = look_at(nested(1000), "nest-bounded")
    depth = deepest = 0
    for character in structure:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    assert 0 < deepest < 500, deepest


def test_cve_2020_12100_very_many_parts():
    mixed = 'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    look_at_each({"siblings-100000": mixed + "--b\r\n\r\nx\r\n" * 100000 + "--b--\r\n",
                  "empty-parts": mixed + "--b\r\n" * 100000}, cpu_seconds=20)


def test_cve_2024_23184_very_many_addresses():
    """And 2026-27852: groups."""
    look_at_each({"to-100k": headers("To: " + ",\r\n ".join(f"u{n}@x.test" for n in range(100000))),
                  "to-fields": "".join(f"To: u{n}@x.test\r\n" for n in range(30000)) + "\r\nx\r\n",
                  "cc-groups": headers("Cc: " + ",\r\n ".join(f"g{n}: a@b, c@d;" for n in range(30000))),
                  "commas": headers("To: " + "," * 500000)})


def test_cve_2024_23185_large_headers():
    look_at_each({"one-line-10M": headers("X-Large: " + "x" * 10_000_000),
                  "folded-10M": headers("X-Large: x" + "\r\n " * 1_000_000 + "y" * 5_000_000),
                  "lines-100k": "".join(f"X-{n}: y\r\n" for n in range(100_000)) + "\r\nx\r\n",
                  "no-end": "X-A: y\r\n" * 200_000,
                  "subject-2M": headers("Subject: " + "=?utf-8?q?=41?= " * 120_000)}, cpu_seconds=20)


def test_cve_2026_27859_very_many_parameters():
    """And 2024-39929: odd indexes of RFC 2231."""
    def type_with(parameters):
        return headers("Content-Type: text/plain;\r\n " + ";\r\n ".join(parameters))
    look_at_each({"params-20k": type_with(f"name*{n}*=x" for n in range(20000)),
                  "params-reverse": type_with(f"name*{n}*=x" for n in range(20000, 0, -1)),
                  "params-odd": type_with(["name*0*=utf-8''%", "name*2=x", "name*00=y", "name*-1=z",
                                           "name*99999999999999999999=a", "name**=b", "*=c", "name*="]),
                  "params-bytes": type_with(["name*=utf-8''" + "%41" * 100000]),
                  "params-quoted": type_with(['name="' + "\\" * 99999])})


def test_cve_2026_40014_hostile_references():
    """And 2026-40017: THREAD over References that point at themselves or are very many."""
    ids = [f"<{n}@x.test>" for n in range(1500)]
    look_at_each({"references-same": headers("References: " + "<same@x.test> " * 100000),
                  "references-self": headers("References: " + "<references-self@x.test> " * 5),
                  "references-many": headers("References: " + "\r\n ".join(ids * 10), "In-Reply-To: " + " ".join(ids)),
                  "references-odd": headers("References: <<<<" + "<" * 100000, "Message-ID: <" + "x" * 100000)})


def test_cve_2020_7957_bodies_that_end_inside_something():
    look_at_each({f"html-{n}": headers("Content-Type: text/html", body=body) for n, body in enumerate(
        ("<", "<p", "<p><style>", "&", "&#", "&#99999999999;", " ", "", "<!--", "<a href=\"", "\xa0", "<" * 100000,
         "&amp" * 50000))}
        | {"qp": headers("Content-Transfer-Encoding: quoted-printable", body="=\r\n=4"),
           "b64": headers("Content-Transfer-Encoding: base64", body="A=A")})


CLEANUP = [attack.stop]

if __name__ == "__main__":
    case.main(globals())
