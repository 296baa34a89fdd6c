#!/usr/bin/env python3
"""Published flaws of mail servers that take mail, sent to the LMTP socket."""

import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import attack, case, simple
from harness.attack import bounds
from harness.mail import Connection, lmtp_deliver, make_message
from harness.server import wait_for
from harness.simple import USER

OTHER = "other@example.test"


def test_start():
    attack.start(users=(USER, OTHER))


def connect():
    client = Connection(None, path=simple.LMTP_SOCKET)
    assert client.reply().startswith("220")
    return client


def say(client, line):
    client.send(line if isinstance(line, str) else line + b"\r\n")
    return client.reply()


def ready(recipients=(USER,), sender="s@extdomain.test"):
    client = connect()
    assert say(client, "LHLO client.test").startswith("250")
    assert say(client, f"MAIL FROM:<{sender}>").startswith("250")
    for recipient in recipients:
        assert say(client, f"RCPT TO:<{recipient}>").startswith("250")
    return client


def mail_is_taken():
    assert lmtp_deliver(simple.LMTP_SOCKET, [OTHER], make_message("still here"))[0].startswith("250")


def count(user=USER):
    client = attack.login(user)
    answer = client.command("s STATUS INBOX (MESSAGES)")
    client.close()
    return int(answer[0].rsplit(" ", 1)[1].rstrip(")"))


def test_a_delivery_runs_as_the_user():
    """Promise 3 for deliveries: the front has no privilege, the worker is the user for ever."""
    mail_is_taken()
    kinds = {"root": 0, "front": 0, "worker": 0}
    for pid in attack.state["server"].child_pids("lmtp"):
        facts = attack.status(pid)
        uids = set(facts["Uid"].split())
        assert len(uids) == 1, facts["Uid"]
        if uids == {"0"}:
            kinds["root"] += 1
            continue
        kinds["worker" if uids == {"5000"} else "front"] += 1
        assert int(facts["CapEff"], 16) == 0 and int(facts["CapPrm"], 16) == 0, facts["CapEff"]
        assert facts["NoNewPrivs"] == "1", pid
        assert "0" not in facts["Groups"].split() + facts["Gid"].split(), facts["Groups"]
    assert kinds["front"] == 1 and kinds["worker"] >= 1 and kinds["root"] == 1, kinds


def test_cve_2020_7046_truncated_utf8_in_a_parameter():
    with bounds(cpu_seconds=3):
        for command in (b"LHLO x\xc3", b"EHLO x\xc3", b"NOOP \xe2\x82", b"VRFY \xf0\x9f", b"MAIL FROM:<\xc3>",
                        b"RCPT TO:<\xe2\x82>",
                        b"MAIL FROM:<a@b> X=\xf0\x9f", b"HELP \xff"):
            client = connect()
            assert say(client, command)[:1] in ("2", "5"), command
            assert say(client, "RSET").startswith("250")
            client.close()
        mail_is_taken()


def test_cve_2020_10957_malformed_noop_and_other_arguments():
    with bounds(growth=8):
        for command in (b"NOOP ", b"NOOP \"", b"NOOP \"\\", b"NOOP \0", b"NOOP =", b"VRFY", b"VRFY ", b"MAIL",
                        b"MAIL FROM", b"MAIL FROM:",
                        b"MAIL FROM:<", b"MAIL FROM:<>>", b"MAIL FROM:<a@b", b"MAIL FROM:<@a,@b:c@d>",
                        b"MAIL FROM:<a@b> SIZE=",
                        b"MAIL FROM:<a@b> SIZE=99999999999999999999999", b"MAIL FROM:<a@b> SIZE=-1",
                        b"MAIL FROM:<a@b> BODY=", b"\0", b"",
                        b"BDAT", b"BDAT x", b"BDAT -1", b"BDAT 99999999999999999999999", b"DATA x", b"RCPT TO:<>",
                        b"XCLIENT ADDR=x",
                        b"XCLIENT FORWARD=AA==", b"XCLIENT FORWARD=\0", b"ETRN x'; DROP TABLE y", b"AUTH PLAIN AA=="):
            client = connect()
            assert say(client, "LHLO x").startswith("250")
            assert say(client, command)[:1] in ("2", "4", "5"), command
            client.close()
        mail_is_taken()


def test_cve_2020_10958_a_command_then_very_many_newlines():
    with bounds(growth=8, cpu_seconds=5):
        for newline in (b"\n", b"\r\n", b"\r", b"\0"):
            attack.send_and_drain(connect(), b"NOOP\r\n" + newline * 100000, 1)
        mail_is_taken()


def test_cve_2020_10967_empty_quoted_local_part():
    with bounds(growth=8):
        client = connect()
        say(client, "LHLO x")
        for sender in ('""@extdomain.test', '"', '"\\', '""', "@", "@extdomain.test", '"a b"@c', "(a)@b"):
            assert say(client, f"MAIL FROM:<{sender}>")[:1] in "25"
            say(client, "RSET")
        client.close()
        for recipient in ('""@example.test', '"', '"\\', '""', '"bob', "@", "@example.test", '"\\"@example.test',
                          "bob@", "bob@[127.0.0.1",
                          "bob@\x7f"):
            client = ready((OTHER,))
            answer = say(client, f"RCPT TO:<{recipient}>")
            assert answer[:1] == "5", (recipient, answer)
            client.send("DATA")
            assert client.reply().startswith("354")
            client.send(make_message("beside an empty name").encode() + b"\r\n.\r\n")
            assert client.reply().startswith("250")
            client.close()


def test_cve_2019_10149_names_that_a_shell_or_an_expansion_would_run():
    """And 2020-7247: no received string is expanded, no name is a path or a pipe."""
    mark = "/tmp/culver-attack-mark"
    with bounds(growth=8):
        client = connect()
        say(client, "LHLO x")
        for sender in ("${run{/bin/touch " + mark + "}}@x.test", ";touch " + mark + ";@x.test", "|touch " + mark,
                       "`touch " + mark + "`@x"):
            say(client, f"MAIL FROM:<{sender}>")
            say(client, "RSET")
        client.close()
        for recipient in (f"|touch {mark}", f"${{run{{/bin/touch {mark}}}}}@example.test", "/etc/passwd",
                          f"/{mark}@example.test",
                          "../bob@example.test", "bob/../other@example.test", "%u@example.test", "%{env:PATH}",
                          "bob@..",
                          "bob@example.test/../..", ":include:/etc/passwd", "bob\x00@example.test",
                          "bob\t@example.test"):
            client = connect()
            say(client, "LHLO x")
            say(client, "MAIL FROM:<>")
            answer = say(client, f"RCPT TO:<{recipient}>")
            assert answer[:1] == "5", (recipient, answer)
            client.close()
    assert not os.path.exists(mark)


def test_a_sender_cannot_inject_a_header():
    with bounds(growth=8):
        for sender in ("a\rX-Evil: 1@x.test", "a\nX-Evil: 1@x.test", '"a\r\n X-Evil: 1"@x.test', "a\0@x.test"):
            client = connect()
            say(client, "LHLO x")
            client.send(f"MAIL FROM:<{sender}>".encode() + b"\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n")
            attack.send_and_drain(client, b"Subject: sender\r\n\r\nx\r\n.\r\nQUIT\r\n", 2)
        client = attack.login(selected="INBOX")
        assert client.command("h SEARCH HEADER X-Evil \"\"")[0].strip() == "* SEARCH", "a header was injected"
        client.close()


def test_cve_2023_51764_only_one_sequence_ends_the_data():
    """And 2023-51765, 51766, 52354, 2026-33604: one message, never the smuggled one."""
    smuggled = b"MAIL FROM:<evil@x.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n"
    for end in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n", b"\r\n\0.\r\n",
                b"\r\n.\0\r\n",
                b"\r\n. \r\n", b"\r\r\n.\r\r\n", b"\n\r.\n\r"):
        with bounds(growth=8):
            before = count()
            client = ready()
            client.send("DATA")
            assert client.reply().startswith("354")
            client.send(b"Subject: outer\r\n\r\ntext" + end + smuggled + b".\r\n")
            assert client.reply().startswith("250"), end
            assert say(client, "NOOP").startswith("250"), end
            client.close()
            assert count() == before + 1, end
    client = attack.login(selected="INBOX")
    assert client.command("h SEARCH SUBJECT smuggled")[0].strip() == "* SEARCH"
    client.close()


def test_bdat_in_20000_tiny_chunks():
    with bounds(growth=16, cpu_seconds=15):
        before = count()
        client = ready()
        text = b"Subject: tiny\r\n\r\n" + b"x" * 20000
        client.socket.sendall(b"".join(b"BDAT 1\r\n" + text[at:at + 1] for at in range(2000)))
        for _ in range(2000):
            assert client.reply().startswith("250")
        for start in range(2000, 20000, 1000):
            client.socket.sendall(b"".join(b"BDAT 1\r\n" + text[at:at + 1] for at in range(start, start + 1000)))
            for _ in range(1000):
                assert client.reply().startswith("250")
        assert say(client, "BDAT 0 LAST").startswith("250")
        client.close()
        assert count() == before + 1


def test_a_bdat_error_leaves_no_state_behind():
    """Postfix 2026: BDAT without a recipient, DATA after BDAT; 2026-45185: a close in a chunk."""
    with bounds(growth=8):
        before = count()
        client = connect()
        say(client, "LHLO x")
        client.send(b"BDAT 5 LAST\r\nQUIT\n")
        assert client.reply()[:1] == "5"
        assert say(client, "MAIL FROM:<>").startswith("250")
        client.send(b"BDAT 6\r\nNOOP\r\n")
        assert client.reply()[:1] == "5"
        say(client, "RSET")
        client.close()
        client = ready()
        client.send(b"BDAT 3\r\nabc")
        assert client.reply().startswith("250")
        assert say(client, "DATA")[:1] == "5"
        assert say(client, "RSET").startswith("250")
        assert say(client, "DATA")[:1] == "5"
        client.close()
        for part in (b"BDAT 100000 LAST\r\nabc", b"BDAT 3\r\nabcBDAT 9 LA", b"DATA\r\nSubject: half",
                     b"DATA\r\nSubject: x\r\n\r\n.\r"):
            client = ready()
            client.send(part)
            client.socket.shutdown(socket.SHUT_WR)
            attack.send_and_drain(client, b"", 2)
        mail_is_taken()
        assert count() == before, "half a message was delivered"
        wait_for(lambda: not os.listdir(f"{simple.maildir()}/tmp"), "nothing is left in tmp")


def test_very_many_recipients():
    """20,000 of them run the reference out of memory."""
    with bounds(growth=16, cpu_seconds=15):
        client = connect()
        say(client, "LHLO x")
        say(client, "MAIL FROM:<>")
        answers = set()
        for start in range(0, 12000, 500):
            recipients = (b"RCPT TO:<bob+%d@example.test>\r\n" % number for number in range(start, start + 500))
            client.socket.sendall(b"".join(recipients))
            answers |= {client.reply()[:5].strip() for _ in range(500)}
        assert "452 4" in answers or "452" in {answer[:3] for answer in answers}, answers
        assert say(client, "RSET").startswith("250")
        client.close()
        mail_is_taken()


def test_limits_of_lines_and_bad_commands():
    with bounds(growth=8):
        client = connect()
        assert say(client, "NOOP " + "x" * 5000).startswith("500")
        assert say(client, "LHLO " + "x" * 300).startswith("501")
        assert say(client, "MAIL FROM:<" + "x" * 1100 + "@y>").startswith("501")
        assert say(client, "NOOP").startswith("250")
        for _ in range(20):
            answer = say(client, "NONSENSE")
            if not answer.startswith("500"):
                break
        assert answer.startswith("421"), answer
        attack.send_and_drain(connect(), b"x" * 3000000, 1)
        client = connect()
        say(client, "LHLO x")
        assert say(client, "MAIL FROM:<> SIZE=268435457").startswith("552")
        client.close()


def test_a_large_message_is_not_held_in_memory():
    """Promise 4: 16 MiB for a delivery, whatever the message."""
    with bounds(growth=16, cpu_seconds=20):
        client = ready()
        client.send("DATA")
        client.reply()
        client.send(b"Subject: large\r\n\r\n")
        block = (b"x" * 998 + b"\r\n") * 1000
        for _ in range(40):
            client.socket.sendall(block)
        client.send(b".\r\n")
        assert client.reply().startswith("250")
        client.close()
        attack.wait_a_moment()
    if not attack.IS_SANITIZED:
        assert attack.peak("lmtp") < 100, attack.peak("lmtp")


CLEANUP = [attack.stop]

if __name__ == "__main__":
    case.main(globals())
