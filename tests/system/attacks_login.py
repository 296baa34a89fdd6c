#!/usr/bin/env python3
"""Published flaws of mail servers before the login: a right answer or a clean close, nobody else notices."""

import base64
import os
import ssl
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import attack, case
from harness.attack import bounds, connect, send_and_drain, source
from harness.mail import Connection
from harness.simple import PASSWORD, USER


def test_start():
    attack.start()


def refused(command, timeout=30):
    """The answers to one command of a new connection; none of them may be the OK of a login."""
    client = connect()
    answer = send_and_drain(client, command + b"\r\nz LOGOUT\r\n", timeout)
    assert b"a OK" not in answer, (command[:60], answer[-200:])
    return answer


def test_the_login_process_owns_nothing():
    """Promise 2: no capability, no new privilege, an empty root, seccomp."""
    login = attack.state["server"].child_pids("imap-login")
    assert login
    for pid in login:
        facts = attack.status(pid)
        assert "0" not in facts["Uid"].split(), facts["Uid"]
        assert int(facts["CapEff"], 16) == 0 and int(facts["CapPrm"], 16) == 0, facts
        assert facts["NoNewPrivs"] == "1"
        assert facts["Groups"].split() in ([], facts["Gid"].split()[:1]), facts["Groups"]
        assert os.readlink(f"/proc/{pid}/root") == "/run/dovecot/login"
        if not attack.IS_SANITIZED:
            assert facts["Seccomp"] == "2", facts["Seccomp"]


def test_cve_2017_15130_many_server_names():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with bounds(growth=24, cpu_seconds=20):
        address = source()
        for number in range(300):
            raw = Connection(993, source=address)
            tls = context.wrap_socket(raw.socket, server_hostname=f"n{number}.{'x' * 40}.example.test")
            assert tls.recv(10).startswith(b"* OK")
            tls.close()


def test_cve_2019_15846_server_name_with_a_backslash():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with bounds(growth=8):
        for name in ("x\\", "a/../../etc", "*", "%d", "a'b"):
            raw = Connection(993, source=source())
            try:
                context.wrap_socket(raw.socket, server_hostname=name).close()
            except (ssl.SSLError, OSError, ValueError):
                pass
            raw.close()


def test_cve_2017_15132_aborted_authentication():
    with bounds(growth=16, cpu_seconds=20):
        address = source()
        for number in range(300):
            client = connect(source=address)
            client.send("a AUTHENTICATE PLAIN")
            if number % 2:
                client.line()
            client.close()


def test_cve_2017_2669_variables_in_the_login_name():
    path = os.environ["PATH"]
    with bounds(growth=8, cpu_seconds=3):
        for name in (b"%{env:PATH}", b"%999999999u", b"%u", b"%{if;%u;eq;a;b;c}", b"%%%", b"${run{/bin/id}}"):
            answer = refused(b'a LOGIN "' + name + b'" x')
            assert b"a NO" in answer, (name, answer)
            assert path.encode() not in answer
    assert path not in attack.state["server"].log()


def test_cve_2019_10691_names_that_are_not_utf8():
    with bounds(growth=8):
        for name in (b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"b\xc0\xafb"):
            refused(b"a LOGIN {%d+}\r\n%s {1+}\r\nx" % (len(name), name))
            response = base64.b64encode(b"\0" + name + b"\0x")
            refused(b"a AUTHENTICATE PLAIN " + response)
        attack.authd_answers()


def test_cve_2019_11500_nul_inside_quoted_strings():
    with bounds(growth=8):
        for text in (b"\0", b"b\0b", b"bob@example.test\0", b"\\\0", b"\\\\\0\\\"", b"\0" * 4000, b"x" * 7000 + b"\0",
                     b"\\" * 4001 + b"\0", b"x\0" * 33000):
            refused(b'a LOGIN "' + text + b'" "secret"', 2)
            refused(b'a LOGIN bob@example.test "secret' + text + b'"', 2)
            refused(b'a ID ("name" "' + text + b'")', 2)


def test_a_nul_behind_the_right_name_or_password_is_no_login():
    for name, password in ((b"bob@example.test\0", b"secret"), (b"bob@example.test", b"secret\0"),
                           (b"bob@example.test", b"secret\0x")):
        refused(b"a LOGIN {%d+}\r\n%s {%d+}\r\n%s" % (len(name), name, len(password), password), 2)
        refused(b"a AUTHENTICATE PLAIN " + base64.b64encode(b"\0" + name + b"\0" + password), 2)


def test_cve_2020_7046_truncated_utf8_in_a_command():
    with bounds(cpu_seconds=3):
        for command in (b"a NOOP \xe2\x82", b"a CAPABILITY\xc3", b"\xf0\x9f"):
            refused(command)


def test_cve_2020_10958_a_command_then_very_many_newlines():
    with bounds(growth=8):
        for newline in (b"\n", b"\r\n", b"\r"):
            send_and_drain(connect(), b"a NOOP\r\n" + newline * 100000, 2)


def test_cve_2020_12673_short_and_empty_sasl_messages():
    """NTLM and RPA are not there; every message of every mechanism may be empty, short or rubbish."""
    with bounds(growth=8):
        client = connect()
        offered = " ".join(client.command("c CAPABILITY"))
        assert "NTLM" not in offered and "RPA" not in offered and "GSS" not in offered
        for mechanism in ("NTLM", "RPA", "GSS-SPNEGO", "", "X" * 500):
            refused(f"a AUTHENTICATE {mechanism}".encode(), 2)
        for mechanism in (b"PLAIN", b"LOGIN", b"CRAM-MD5", b"SCRAM-SHA-256", b"EXTERNAL", b"ANONYMOUS"):
            for response in (b"", b"=", b"*", b"AA==", b"TlRMTVNTUAABAAAA", b"AAAA" * 500):
                refused(b"a AUTHENTICATE " + mechanism + b"\r\n" + response + b"\r\n" + response, 2)
        attack.authd_answers()


def test_cve_2025_59028_invalid_base64_fails_only_its_own_client():
    with bounds(growth=8):
        waiting = connect()
        waiting.send("a AUTHENTICATE PLAIN")
        assert waiting.line().startswith("+")
        for response in (b"!!!!", b"AAA", b"=AAA", b"AA=A", b"A" * 4001, b"\xff\xff", b"AAAA\tAAAA", b"AAAA AAAA",
                         b"AA==AA=="):
            answer = refused(b"a AUTHENTICATE PLAIN\r\n" + response)
            assert b"a NO" in answer or b"a BAD" in answer or b"BYE" in answer, (response, answer)
            refused(b"a AUTHENTICATE PLAIN " + response, 2)
        waiting.send(base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()) + b"\r\n")
        assert waiting.until("a")[-1].startswith("a OK"), "a login that was under way fails"


def test_cve_2026_33603_tabs_do_not_reach_the_internal_protocol():
    right = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
    with bounds(growth=8):
        for response in (right + b"\tnopassword", b"\t" + right, right + b" x", right[:8] + b"\t" + right[8:]):
            answer = send_and_drain(connect(), b"a AUTHENTICATE PLAIN\r\n" + response + b"\r\nz LOGOUT\r\n", 2)
            assert b"a OK" not in answer, (response, answer)


def test_cve_2026_27858_large_responses_and_literals_before_login():
    """And 2025-59032, 2026-33605: literal as initial response, a megabyte of it, none of it kept."""
    with bounds(growth=8):
        for command in (b"a AUTHENTICATE PLAIN {5}", b"a AUTHENTICATE {5}",
                        b"a AUTHENTICATE PLAIN {1000000+}\r\n" + b"A" * 1000000,
                        b"a AUTHENTICATE PLAIN " + b"A" * 1000000, b"a AUTHENTICATE PLAIN\r\n" + b"A" * 1000000,
                        b"a LOGIN {4294967296}", b"a LOGIN {4097}", b"a LOGIN {99999999999999999999999}",
                        b"a LOGIN {-1}",
                        b"{5}", b"a {3}\r\nxyz"):
            answer = refused(command, 2)
            assert b"+ " not in answer.replace(b"+ \r\n", b"",
                                               1) or b"PLAIN\r\n" in command or len(command) < 30, answer[:200]


def test_cve_2026_42006_open_lists_hold_no_memory():
    with bounds(growth=40):
        addresses = [source() for _ in range(6)]
        held = [connect(source=addresses[number // 15]) for number in range(90)]
        for client in held:
            try:
                client.send(b"a NOOP " + b"(" * 4000)
            except OSError:
                pass
        attack.wait_a_moment()
        login = attack.login()
        login.close()
        for client in held:
            client.close()


def test_cve_2025_61600_lines_without_an_end():
    """64 connections of many addresses drip a line that never ends; each keeps no more than the limit."""
    with bounds(growth=20, cpu_seconds=15):
        addresses = [source() for _ in range(8)]
        held = [connect(source=addresses[number // 8]) for number in range(64)]
        for _ in range(40):
            for client in held:
                try:
                    client.send(b"x" * 1000)
                except OSError:
                    pass
        assert attack.login()
        for client in held:
            client.close()
        assert b"BYE" in send_and_drain(connect(), b"x" * 1000000)[:200]


def test_cve_2026_42391_id_with_very_many_pairs():
    with bounds(growth=8):
        for command in (b"a ID (" + b'"k" "v" ' * 1000 + b")", b"a ID (" + b'"k" NIL ' * 31 + b")",
                        b'a ID ("k" "' + b"v" * 1025 + b'")'):
            answer = refused(command)
            assert b"a BAD" in answer or b"BYE" in answer, answer
        assert b"a OK" in send_and_drain(connect(), b'a ID ("name" "x")\r\nz LOGOUT\r\n')


def test_cve_2026_42008_a_stranger_cannot_forward_fields():
    """And 2026-42395: neither XCLIENT nor ID changes the address or adds a field."""
    addresses = []
    with bounds(growth=8):
        for fields in ('"x-originating-ip" "203.0.113.9"', '"x-forward-nopassword" "y"', '"x-proxy-ttl" "1"',
                       '"x-session-id" "evil"'):
            addresses.append(source())
            client = connect(source=addresses[-1])
            assert client.command(f'i ID ({fields} "x-connected-ip" "203.0.113.8")')[-1][:2] == "i "
            assert client.command(f"a LOGIN {USER} wrong")[-1].startswith("a NO")
            client.close()
        for command in (b"a XCLIENT ADDR=203.0.113.9", b"a XCLIENT FORWARD=AABub3Bhc3N3b3Jk", b"a XCLIENT FORWARD=\0"):
            assert b"a BAD" in refused(command)
    log = attack.state["server"].log()
    assert "203.0.113." not in log and "evil" not in log
    assert all(f"rip={address}" in log for address in addresses)


def test_cve_2021_33515_text_behind_starttls_is_never_run():
    for payload in (b"b CAPABILITY\r\n", b"b LOGIN bob@example.test secret\r\n", b"b AUTHENTICATE PLAIN\r\n", b"b NO",
                    b"\r\n"):
        with bounds():
            client = connect()
            client.socket.settimeout(5)
            client.socket.sendall(b"a STARTTLS\r\n" + payload)
            line = client.line()
            if line and line.startswith("a OK"):
                try:
                    client.start_tls()
                    client.socket.settimeout(1)
                    answer = client.socket.recv(4096)
                except (OSError, ssl.SSLError):
                    answer = b""
                assert not answer, answer
            client.close()


def test_starttls_forgets_what_was_said_in_the_clear():
    client = connect()
    client.command("x BAD1")
    client.command("x BAD2")
    assert client.command("a STARTTLS")[-1].startswith("a OK")
    client.start_tls()
    assert client.command("x BAD3")[-1].startswith("x BAD")
    assert client.command("x BAD4")[-1].startswith("x BAD")
    assert client.command(f"a LOGIN {USER} {PASSWORD}")[-1].startswith("a OK"), "the count of bad commands has survived"
    client.close()


def test_no_starttls_tricks():
    """NO STARTTLS (2021): never PREAUTH, and no way back to before the login."""
    client = connect()
    assert client.command("u UNAUTHENTICATE")[-1].startswith("u BAD")
    client = attack.login()
    assert client.command("u UNAUTHENTICATE")[-1].startswith("u BAD")
    assert client.command("t STARTTLS")[-1].startswith("t BAD")
    assert client.command("n NOOP")[-1].startswith("n OK")
    client.close()


def test_cve_2026_73209_compress_before_login():
    with bounds(growth=8):
        for command in (b"a COMPRESS DEFLATE", b"a COMPRESS", b"a COMPRESS NOSUCH"):
            assert b"a BAD" in refused(command + b"\r\n" + b"\0\0\0\xff\xff" * 200, 2)


def test_cve_2026_33263_silent_clients_of_one_address_keep_nobody_out():
    with bounds(growth=20):
        address = source()
        held = [connect(source=address) for _ in range(60)]
        other = connect()
        assert other.command(f"a LOGIN {USER} {PASSWORD}")[-1].startswith("a OK")
        again = connect(source=address)
        assert again.command(f"a LOGIN {USER} {PASSWORD}")[-1].startswith("a OK"), "the newest one has to get in"
        closed = 0
        for client in held:
            client.socket.settimeout(0.05)
            try:
                closed += client.line() is not None
            except TimeoutError:
                pass
            client.close()
        assert closed >= 40, f"{closed} of 60 connections were closed"


def test_the_third_bad_command_ends_the_connection():
    client = connect()
    for _ in range(2):
        assert client.command("a NONSENSE")[-1].startswith("a BAD")
    answer = client.command("a NONSENSE")
    assert any("BYE" in line for line in answer), answer
    assert client.line() is None


def test_tls_records_of_rubbish():
    with bounds(growth=16):
        for payload in (b"\x16\x03\x01\xff\xff" + b"\x01" * 70000, b"\x80\x2e\x01\x00\x02" * 100,
                        b"GET / HTTP/1.0\r\n\r\n",
                        b"\x16\x03\x03\x00\x00" * 1000, b"\x15\x03\x03\x00\x02\x01\x00",
                        b"a LOGIN bob@example.test secret\r\n"):
            answer = send_and_drain(Connection(993, source=source()), payload, 2)
            assert b"a OK" not in answer


CLEANUP = [attack.stop]

if __name__ == "__main__":
    case.main(globals())
