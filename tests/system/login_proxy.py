#!/usr/bin/env python3
"""imap-login as a proxy, compared with Dovecot's.

Two fronts (Debian's Dovecot and Culver) stand before two backends (the same two) and before backends that follow a
script (harness/backend.py). What the client reads and what the backend hears has to be the same behind both fronts; a
difference that is meant has its reason in the table.
"""

import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import authpair, case, pki, private
from harness.backend import Backend
from harness.mail import Connection, make_certificate, make_message
from harness.server import build_directory, is_alive, port_is_open, wait_for

SCRIPTED = "127.0.0.6"
FRONTS = {"dovecot": "127.0.0.4", "culver": "127.0.0.5"}
BACKS = {"dovecot": "127.0.0.2", "culver": "127.0.0.3"}
USERS, BACK_USERS, MASTERS = "/etc/proxy/users", "/etc/proxy/back-users", "/etc/proxy/masters"
COMMON = """
base_dir = @BASE@
state_dir = @BASE@
log_path = @LOG@
protocols = imap
listen = ADDRESS
ssl = yes
ssl_cert = </etc/proxy/CERT.pem
ssl_key = </etc/proxy/CERT.key
ssl_client_ca_file = /etc/proxy/ca.pem
disable_plaintext_auth = no
auth_failure_delay = 0
auth_verbose = yes
default_vsz_limit = 1G
mail_uid = 5000
mail_gid = 5000
mail_home = /var/vmail/@NAME@/%u
mail_location = maildir:~/Maildir
mail_max_userip_connections = 0
service stats {
  client_limit = 200
}
service anvil {
  client_limit = 1000
}
namespace inbox {
  inbox = yes
  separator = /
}
"""
FRONT = COMMON + """
login_proxy_max_reconnects = RECONNECTS
ssl_client_cert = </etc/proxy/front.pem
ssl_client_key = </etc/proxy/front.key
passdb {
  driver = passwd-file
  args = scheme=PLAIN /etc/proxy/users
}
"""
BACK = COMMON + """
auth_master_user_separator = *
login_trusted_networks = 127.0.0.1
login_log_format_elements = user=<%u> method=%m rip=%r rport=%{rport} lip=%l real=%{real_rip} session=<%{session}>
passdb {
  driver = passwd-file
  args = scheme=PLAIN /etc/proxy/masters
  master = yes
}
passdb {
  driver = passwd-file
  args = scheme=PLAIN /etc/proxy/back-users
}
"""
fronts, backs, scripted, users = {}, {}, {}, []


def peer(name, kind):
    build = build_directory()
    programs = {"dovecot": ("/usr/sbin/dovecot", "/usr/bin/doveadm"),
                "culver": (f"{build}/sbin/dovecot", f"{build}/bin/doveadm")}
    return authpair.Peer(name, *programs[kind])


def add_user(name, fields):
    users.append(f"{name}:secret::::::proxy {fields}\n")


def script(name, fields="", host=SCRIPTED, **options):
    """A scripted backend, and the user whose session goes there."""
    port = 2000 + len(scripted)
    scripted[name] = Backend(SCRIPTED, port, **options)
    add_user(name, f"host={host} port={port} {fields}")


def answering(login):
    return {" LOGIN ": login, "AUTHENTICATE": login}


def write_users():
    private.install_file(USERS, "".join(users))


def make_scripts():
    script("plain")
    script("destination", "destuser=other pass=word")
    script("quotes", 'destuser=d"u pass=a"b\\c')
    script("master", "master=boss pass=word")
    script("master-for", "master=boss pass=word destuser=other")
    script("mech-plain", "proxy_mech=PLAIN")
    script("mech-oauth", "proxy_mech=OAUTHBEARER")
    script("mech-xoauth", "proxy_mech=XOAUTH2")
    script("mech-unknown", "proxy_mech=CRAM-MD5")
    script("untrusted", "proxy_not_trusted")
    script("no-pipelining", "proxy_nopipelining")
    script("forward", "forward_colour=blue")
    script("source", "source_ip=127.0.0.8")
    script("no-id", greeting="* OK [CAPABILITY IMAP4rev1] Old.")
    script("no-capability", greeting="* OK Silent.")
    script("capability-later", answers=answering("* OK Between.\r\n* CAPABILITY IMAP4rev1 LATER\r\nTAG OK Logged in"))
    script("no-code", answers=answering("TAG OK Logged in"))
    for number, answer in enumerate(("NO [AUTHENTICATIONFAILED] Wrong!", "NO Just no.", "NO", "BAD What?", "BAD [X] y",
                                     "NO [UNAVAILABLE] Later.", "NO [ALERT] Read this.", "NO [LIMIT] Too many.",
                                     "NO [EXPIRED] Old password.", "NO [XOWN] z", "NO [INUSE]", "HELLO there",
                                     "NO [REFERRAL imap://other.test/] Go there.")):
        script(f"answer-{number}", answers=answering("TAG " + answer))
    script("bye", greeting="* BYE Go away.")
    script("preauth", greeting="* PREAUTH Hello.")
    script("smtp", greeting="220 mail.example.test ESMTP")
    script("long-greeting", greeting="* OK " + "x" * 20000)
    script("long-answer", answers=answering("* OK " + "x" * 20000))
    script("strange", answers=answering("Z OK strange\r\nTAG OK Logged in"))
    script("bye-then-no", answers=answering("* BYE Leaving.\r\nTAG NO [UNAVAILABLE] Gone."))
    script("drops-at-login", answers=answering(None))
    script("drops-later", answers={"NOOP": None})
    script("hangs", "proxy_timeout=4", answers={" ID ": "", " LOGIN ": ""})
    script("hangs-at-once", "proxy_timeout=2", greeting=None)
    script("login-disabled", greeting="* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] No.")
    script("no-starttls", "starttls=any-cert", greeting="* OK [CAPABILITY IMAP4rev1] No.")
    script("starttls-refused", "starttls=any-cert", greeting="* OK [CAPABILITY IMAP4rev1 STARTTLS] x",
           answers={"STARTTLS": "TAG NO Not now."})
    script("no-tls-there", "ssl=any-cert", answers={"": "* BAD What?"})
    add_user("down", f"host={SCRIPTED} port=1999")


# Both fronts do not have to do the same: what Culver does on purpose.
DIFFERENT = {
    "no-capability": "Culver asks for the capabilities first, and then tells who the client is",
    "capability-later": "Culver gives what was said between with the answer, Dovecot at once",
    "strange": "the same, but Dovecot may cut the connection elsewhere",
}


def test_start():
    private.add_user("vmail", uid=5000, home="/var/vmail")
    os.chmod("/var/vmail", 0o700)
    os.makedirs("/etc/proxy", exist_ok=True)
    with open("/etc/hosts", "a") as hosts:
        hosts.write("127.0.0.2 dovecot-back.test\n127.0.0.3 culver-back.test\n127.0.0.3 wrong-name.test\n")
    for name in ("front", "dovecot-back", "culver-back"):
        make_certificate(f"/etc/proxy/{name}.pem", f"/etc/proxy/{name}.key", f"{name}.test")
    authority = "".join(open(f"/etc/proxy/{name}-back.pem").read() for name in BACKS)
    private.install_file("/etc/proxy/ca.pem", authority)
    private.install_file(BACK_USERS, "bob:backsecret\nalice:alicesecret\n")
    private.install_file(MASTERS, "boss:bosssecret\n")
    os.makedirs(authpair.RUN, exist_ok=True)
    make_scripts()
    for kind, address in BACKS.items():
        name = f"{kind}-back"
        backs[kind] = peer(name, kind)
        backs[kind].write_config(BACK.replace("ADDRESS", address).replace("CERT", name))
        for tls in ("", "ssl=yes", "ssl=any-cert", "starttls=yes", "starttls=any-cert"):
            label = tls.replace("=", "-") or "plain"
            add_user(f"{kind}-{label}", f"host={name}.test destuser=bob pass=backsecret {tls}")
        add_user(f"{kind}-master", f"host={address} master=boss pass=bosssecret destuser=alice")
        add_user(f"{kind}-wrong", f"host={address} destuser=bob pass=wrong")
    add_user("wrong-name", "host=wrong-name.test destuser=bob pass=backsecret ssl=yes")
    add_user("by-address", "host=127.0.0.3 destuser=bob pass=backsecret ssl=yes")
    for kind, address in FRONTS.items():
        add_user(f"{kind}-loop", f"host={address}")
        fronts[kind] = peer(f"{kind}-front", kind)
        fronts[kind].write_config(FRONT.replace("ADDRESS", address).replace("CERT", "front").replace("RECONNECTS", "0"))
    write_users()
    for server in (*backs.values(), *fronts.values()):
        server.start()
    for address in (*BACKS.values(), *FRONTS.values()):
        wait_for(lambda: port_is_open(143, address), f"port 143 of {address}", 60)


def connect(kind, **options):
    client = Connection(143, address=FRONTS[kind], timeout=60, **options)
    assert client.line().startswith("* OK")
    return client


def dialogue(kind, user, *commands):
    """What the client reads from the login on, and what a scripted backend has heard."""
    client = connect(kind)
    lines = client.command(f"a1 LOGIN {user} secret")
    for number, command in enumerate(commands):
        lines += client.command(f"b{number} {command}")
    client.close()
    return lines


def heard(name):
    """Without what differs from connection to connection."""
    lines, scripted[name].lines = scripted[name].lines, []
    if name == "no-tls-there":
        return []  # random bytes, in which a line may end or not
    return [re.sub(r'("x-session-id"|"x-\w+-port") "[^"]*"', r"\1 *",
                   re.sub(r'"x-connected-ip" "[^"]*"', '"x-connected-ip" *', line)) for line in lines]


def test_each_scripted_backend_looks_alike_behind_both_fronts():
    differences = []
    for name in scripted:
        seen = {}
        for kind in FRONTS:
            lines = dialogue(kind, name, "NOOP")
            seen[kind] = (lines, heard(name))
        if name in DIFFERENT:
            assert seen["culver"][0][-1] == seen["dovecot"][0][-1], (name, seen)
        elif name in ("drops-at-login", "mech-unknown") and seen["dovecot"][0] and not seen["dovecot"][0][-1:]:
            continue
        elif name == "mech-unknown":  # Dovecot's login process dies here
            assert seen["culver"][0] == ["a1 NO [UNAVAILABLE] Account is temporarily unavailable.",
                                         "b0 OK NOOP completed."], seen
        elif seen["dovecot"] != seen["culver"]:
            differences.append(f"{name}:\n  dovecot: {seen['dovecot']}\n  culver:  {seen['culver']}")
    assert not differences, "\n".join(differences)


def test_the_source_address_is_used():
    assert set(scripted["source"].peers) == {"127.0.0.8"}, scripted["source"].peers


def test_what_the_log_says():
    log = wait_for(lambda: (text := fronts["culver"].log()).count("Disconnected by") >= 10 and text, "the sessions end")
    for line in (r"proxy\(plain,127\.0\.0\.6:\d+\): Started proxying to <127\.0\.0\.6> \([0-9.]+ secs\): user=<plain>, "
                 r"method=PLAIN, rip=127\.0\.0\.1, lip=127\.0\.0\.5, ",
                 r"proxy\(plain,[^)]*\): Disconnected by (client|server) \(\d+s idle, in=\d+, out=\d+\): user=<plain>",
                 r"proxy\(master-for,[^)]*\): Started proxying to <127\.0\.0\.6> as user other \(master boss\)",
                 r"proxy\(source,[^)]*\): Started proxying to <127\.0\.0\.6> from 127\.0\.0\.8 \(",
                 r"proxy\(answer-5,[^)]*\): Login failed: \[UNAVAILABLE\] Later\.: user=<answer-5>",
                 r"Aborted login \(proxy dest auth failed\): user=<answer-0>",
                 r"Error: proxy\(bye,[^)]*\): Remote server sent invalid input: Invalid banner: \* BYE Go away\.",
                 r"Error: proxy\(hangs,[^)]*\): Login timed out in state=id\+login/banner \(after \d+ secs, local=",
                 r"Error: proxy\(no-starttls,[^)]*\): Aborting due to remote server: STARTTLS not supported"):
        assert re.search(line, log), f"{line}\n" + "\n".join(x for x in log.splitlines() if "proxy(" in x)[-6000:]
    assert "secret" not in log


def test_an_unreachable_backend():
    for kind in FRONTS:
        assert dialogue(kind, "down") == ["a1 NO [UNAVAILABLE] Account is temporarily unavailable."], kind
    fronts["culver"].wait_log(r"Error: proxy\(down,127\.0\.0\.6:1999\): connect\(127\.0\.0\.6, 1999\) failed: "
                              r"Connection refused \(after \d+ secs, local=")


def test_a_loop_ends():
    assert dialogue("culver", "culver-loop")[-1] == "a1 NO [UNAVAILABLE] Account is temporarily unavailable."
    fronts["culver"].wait_log(r"proxy\(culver-loop,127\.0\.0\.5:143\): Proxying loops to itself")


def mailbox(lines):
    return [re.sub(r" \([0-9.]+ \+ [0-9.]+.*?secs\)", "", line) for line in lines]


def test_real_backends_behind_both_fronts():
    for back in BACKS:
        for way in ("plain", "ssl-yes", "ssl-any-cert", "starttls-yes", "starttls-any-cert", "master"):
            seen = {}
            for front in FRONTS:
                seen[front] = mailbox(dialogue(front, f"{back}-{way}", "CAPABILITY", 'LIST "" ""', "NAMESPACE",
                                               "LOGOUT"))
            assert seen["culver"][0].startswith("a1 OK [CAPABILITY "), (back, way, seen["culver"])
            if "yes" in way and not seen["dovecot"][0].startswith("a1 OK"):
                continue  # this Dovecot does not find its authorities; Culver does
            assert seen["culver"] == seen["dovecot"], (back, way, seen)
        for front in FRONTS:
            assert dialogue(front, f"{back}-wrong") == ["a1 NO [AUTHENTICATIONFAILED] Authentication failed."], front


def test_the_backend_learns_who_the_client_is():
    for front in FRONTS:
        for back in BACKS:
            mark = len(backs[back].log())
            client = Connection(143, address=FRONTS[front], source="127.0.0.77")
            client.line()
            port = client.socket.getsockname()[1]
            assert client.command(f"a LOGIN {back}-plain secret")[-1].startswith("a OK")
            client.close()
            line = (rf"Login: user=<bob>, method=PLAIN, rip=127\.0\.0\.77, rport={port}, "
                    rf"lip={re.escape(FRONTS[front])}, ")
            found = wait_for(lambda: re.search(line + r".*session=<(.*)>", backs[back].log()[mark:]),
                             lambda: f"{front} -> {back}: {line}: {backs[back].log()[mark:]}")
            fronts[front].wait_log(re.escape(found[1]))


def test_who_is_not_trusted_changes_nothing():
    client = Connection(143, address=BACKS["culver"], source="127.0.0.78")
    client.line()
    client.command('i ID ("x-originating-ip" "192.0.2.1" "x-session-id" "invented" "x-forward-user" "root")')
    assert client.command("a LOGIN bob wrong")[-1].startswith("a NO")
    client.close()
    backs["culver"].wait_log(r"Aborted login .*rip=127\.0\.0\.78, ")
    assert "192.0.2.1" not in backs["culver"].log() and "invented" not in backs["culver"].log()


def test_certificates():
    for user, problem in (("wrong-name", "hostname mismatch"), ("by-address", "IP address mismatch")):
        assert dialogue("culver", user) == ["a1 NO [UNAVAILABLE] Account is temporarily unavailable."]
        fronts["culver"].wait_log(rf"proxy\({user},127\.0\.0\.3:993\): Received invalid SSL certificate: {problem}: "
                                  r"/CN=culver-back\.test \(check ssl_client_ca_\* settings\?\)")
    unknown = pki.self_signed("unknown", "/CN=dovecot-back.test")
    for way in ("ssl", "starttls"):
        script(f"unknown-{way}", f"{way}=yes", tls=unknown, starttls=way == "starttls")
        script(f"any-{way}", f"{way}=any-cert", tls=unknown, starttls=way == "starttls")
    write_users()
    for way in ("ssl", "starttls"):
        for kind in FRONTS:
            wait_for(lambda: dialogue(kind, f"any-{way}")[-1].startswith("a1 OK"),
                     f"{kind} takes any certificate: {way}", 30)
            assert dialogue(kind, f"unknown-{way}") == ["a1 NO [UNAVAILABLE] Account is temporarily unavailable."], kind
        assert not any("LOGIN" in line for line in scripted[f"unknown-{way}"].lines)
        assert not any("x-originating-ip" in line and "STARTTLS" in line for line in scripted[f"any-{way}"].lines)


def test_the_proxy_shows_its_own_certificate():
    script("asks", "ssl=any-cert", tls=pki.self_signed("asks", "/CN=asks"), client_ca="/etc/proxy/front.pem")
    script("asks-other", "ssl=any-cert", tls=pki.self_signed("asks-other", "/CN=asks"), client_ca="/etc/proxy/ca.pem")
    write_users()
    wait_for(lambda: dialogue("culver", "asks")[-1].startswith("a1 OK"), "the backend takes our certificate", 30)
    assert dialogue("culver", "asks-other") == ["a1 NO [UNAVAILABLE] Account is temporarily unavailable."]


def test_login_source_ips_by_turns():
    scripted["plain"].peers.clear()
    fronts["culver"].stop()
    fronts["culver"].write_config(FRONT.replace("ADDRESS", FRONTS["culver"]).replace("CERT", "front").replace(
        "RECONNECTS", "0") + "login_source_ips = ?127.0.0.41, 127.0.0.42 192.0.2.1 ::1\n")
    fronts["culver"].start()
    wait_for(lambda: port_is_open(143, FRONTS["culver"]), "the port", 60)
    for _ in range(4):
        assert dialogue("culver", "plain")[-1].startswith("a1 OK")
    assert scripted["plain"].peers == ["127.0.0.41", "127.0.0.42"] * 2, scripted["plain"].peers


def big_message(number, size):
    return make_message(f"Number {number}", body="".join(f"{number} {line:070d}\r\n" for line in range(size // 75)))


def test_literals_pipelining_and_idle():
    for back in BACKS:
        for tls in (False, True):
            client = Connection(993 if tls else 143, address=FRONTS["culver"], tls=tls, timeout=60)
            client.line()
            way = "ssl-any-cert" if tls else "plain"
            message = big_message(1, 300_000).encode()
            # Everything at once: what stands behind LOGIN is for the backend.
            client.send(f"a LOGIN {back}-{way} secret\r\nb CREATE box{tls}\r\n".encode()
                        + f"c APPEND box{tls} {{{len(message)}+}}\r\n".encode() + message + b"\r\n"
                        + f"d SELECT box{tls}\r\ne FETCH 1 BODY.PEEK[]\r\n".encode())
            for tag in "abcd":
                assert client.until(tag)[-1].startswith(f"{tag} OK"), (back, tls, tag)
            assert "\n".join(client.until("e")).count("1 0000") >= 300_000 // 75
            client.send("f IDLE")
            assert client.line().startswith("+")
            other = connect("dovecot")
            assert other.command(f"a LOGIN {back}-plain secret")[-1].startswith("a OK")
            other.send(f"b APPEND box{tls} {{{len(message)}+}}\r\n".encode() + message + b"\r\n")
            assert other.until("b")[-1].startswith("b OK")
            other.close()
            while "2 EXISTS" not in (line := client.line()):
                assert line is not None
            client.send("DONE")
            assert client.until("f")[-1].startswith("f OK")
            assert client.command("g LOGOUT")[-1].startswith("g OK")
            assert client.line() is None
            client.close()


def test_a_slow_reader_stops_the_backend_and_gets_everything():
    client = connect("culver")
    assert client.command("a LOGIN dovecot-plain secret")[-1].startswith("a OK")
    assert client.command("b SELECT boxFalse")[-1].startswith("b OK")
    client.send(b"".join(b"c%d FETCH 1 BODY.PEEK[]\r\n" % number for number in range(40)))
    time.sleep(1)  # nothing depends on it; all buffers are full by then
    for number in range(40):
        assert client.until(f"c{number}")[-1].startswith(f"c{number} OK")
    client.close()


def test_half_close_gives_the_last_answers():
    client = connect("culver")
    assert client.command("a LOGIN culver-plain secret")[-1].startswith("a OK")
    client.send("b NOOP\r\nc LOGOUT")
    client.socket.shutdown(socket.SHUT_WR)
    assert client.until("b")[-1].startswith("b OK")
    assert client.until("c")[-1].startswith("c OK")
    assert client.line() is None


def test_a_backend_that_hangs_disturbs_nobody():
    script("hangs-long", "proxy_timeout=60", greeting=None)
    write_users()
    waiting = [connect("culver") for _ in range(10)]
    for client in waiting:
        client.send("a LOGIN hangs-long secret")
    wait_for(lambda: len(scripted["hangs-long"].peers) == 10, "all ten have reached the backend", 30)
    assert dialogue("culver", "plain")[-1].startswith("a1 OK")
    for client in waiting:
        client.close()
    wait_for(lambda: fronts["culver"].log().count("(disconnected while proxying") >= 10, "the clients are gone", 30)


def test_a_backend_that_comes_back_within_the_time():
    """Refused at first; a second later somebody listens."""
    fronts["culver"].stop()
    fronts["culver"].write_config(FRONT.replace("ADDRESS", FRONTS["culver"]).replace("CERT", "front")
                                  .replace("RECONNECTS", "60"))
    add_user("late", f"host={SCRIPTED} port=1998 proxy_timeout=60")
    write_users()
    fronts["culver"].start()
    wait_for(lambda: port_is_open(143, FRONTS["culver"]), "the port", 60)
    client = connect("culver")
    client.send("a LOGIN late secret")
    wait_for(lambda: re.search(r"Login accepted: user=<late>", fronts["culver"].log()), "authd has said yes", 30)
    scripted["late"] = Backend(SCRIPTED, 1998)
    assert client.until("a")[-1] == "a OK [CAPABILITY IMAP4rev1 XBACK] Logged in"
    client.close()


def test_idle_sessions_cost_little():
    with open(f"{build_directory()}/libexec/dovecot/imap-login", "rb") as program:
        if b"__asan_init" in program.read():
            return  # its memory is another matter

    def memory():
        """Of Culver's login processes, in kB."""
        total = 0
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    if not file.read().split(b"\0")[0].endswith(b"imap-login"):
                        continue
                if not os.readlink(f"/proc/{entry}/exe").startswith(build_directory()):
                    continue
                with open(f"/proc/{entry}/smaps_rollup") as file:
                    total += int(re.search(r"Private_Dirty:\s+(\d+)", file.read())[1])
            except OSError:
                continue
        return total
    def logged_in():
        client = connect("culver")
        assert client.command("a LOGIN plain secret")[-1].startswith("a OK")
        return client
    first = [logged_in() for _ in range(20)]
    before = memory()
    assert before > 0
    many = [logged_in() for _ in range(200)]
    grown = memory() - before
    for client in (*first, *many):
        client.close()
    assert grown < 200 * 16, f"200 idle sessions cost {grown} kB"


def test_a_stop_ends_the_sessions():
    client = connect("culver")
    assert client.command("a LOGIN plain secret")[-1].startswith("a OK")
    pid = fronts["culver"].pid()
    fronts["culver"].stop()
    assert not is_alive(pid) and client.line() is None
    fronts["culver"].wait_log(r"proxy\(plain,[^)]*\): Disconnected by proxy: Process shutting down \(")


CLEANUP = [lambda: [server.stop() for server in (*fronts.values(), *backs.values())]]
if __name__ == "__main__":
    case.main(globals())
