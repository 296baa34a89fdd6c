#!/usr/bin/env python3
"""Compares what Culver and Debian's Dovecot say about odd messages, byte for byte.

Every message of tests/unit/lib-mail/corpus, and as many random ones as wanted, is appended to both servers; then
RFC822.SIZE, ENVELOPE, BODY, BODYSTRUCTURE and a set of BODY[...] sections have to be equal.

    structure-compare.py --tool BUILD/tests/imap-tool [--random N] [--seed S] [--show K]

The reference is a private Dovecot on a free port with its own base_dir under a temporary directory (needs root, as it
changes its uid). Exit code 77: no Dovecot here.
"""

import argparse
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = os.path.join(HERE, "..", "unit", "lib-mail", "corpus")
ITEMS = ("RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT] RFC822.HEADER "
         "BODY.PEEK[HEADER.FIELDS (Subject From X-None)] BODY.PEEK[HEADER.FIELDS.NOT (Subject To)] BODY.PEEK[]<3.40> "
         + " ".join(f"BODY.PEEK[{section}]" for section in (
             "1", "2", "3", "1.1", "1.2", "2.1", "1.1.1", "1.2.1", "1.MIME", "2.MIME", "1.1.MIME", "1.HEADER", "1.TEXT",
             "2.HEADER", "2.TEXT", "1.1.HEADER", "1.1.TEXT", "1.HEADER.FIELDS (Subject)", "2.1.MIME", "9")))

DOVECOT = """
base_dir = {dir}/run
state_dir = {dir}/run
log_path = {dir}/log
protocols = imap
ssl = no
disable_plaintext_auth = no
listen = 127.0.0.1
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:{dir}/mail
passdb {{
  driver = static
  args = password=pw
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={dir}/mail
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


def dovecot_program():
    return os.environ.get("DOVECOT", "/usr/sbin/dovecot")


class Client:
    def __init__(self, port):
        for attempt in range(600):
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        self.file = self.socket.makefile("rb")

    def read(self, tag):
        """Everything up to the tagged line, literals taken whole."""
        out = b""
        while True:
            line = self.file.readline()
            if not line:
                sys.exit(f"the connection was closed behind {out[-200:]!r}")
            out += line
            while (literal := re.search(rb"\{(\d+)\}\r\n$", line)):
                out += self.file.read(int(literal[1]))
                line = self.file.readline()
                out += line
            if line.startswith(tag + b" "):
                return out

    def command(self, text):
        self.socket.sendall(b"t " + text + b"\r\n")
        return self.read(b"t")


def start_dovecot(directory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.mkdir(directory + "/mail")
    shutil.chown(directory + "/mail", "nobody", "nogroup")
    os.chmod(directory, 0o755)
    with open(directory + "/dovecot.conf", "w", encoding="ascii") as file:
        file.write(DOVECOT.format(dir=directory, port=port))
    process = subprocess.Popen([dovecot_program(), "-F", "-c", directory + "/dovecot.conf"], stderr=subprocess.DEVNULL)
    client = Client(port)
    client.file.readline()
    client.command(b"LOGIN tester pw")
    return process, client


def start_tool(tool, directory):
    os.mkdir(directory + "/culver")
    process = subprocess.Popen([tool, directory + "/culver"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    client = Client(int(process.stdout.readline()))
    client.read(b"L")
    return process, client


def answers(client, messages):
    """The FETCH response of each message, without its sequence number."""
    client.command(b"SELECT INBOX")
    client.command(b"STORE 1:* +FLAGS.SILENT (\\Deleted)")
    client.command(b"EXPUNGE")
    for message in messages:
        reply = client.command(b"APPEND INBOX {%d+}\r\n" % len(message) + message)
        if b"\nt OK" not in b"\n" + reply:
            sys.exit(f"APPEND failed: {reply!r}")
    client.command(b"NOOP")
    out = []
    for number in range(1, len(messages) + 1):
        text = client.command(b"FETCH %d (%s)" % (number, ITEMS.encode()))
        text = text[:text.rindex(b"t OK Fetch")]
        out.append(re.sub(rb"^(.*?)\* \d+ FETCH \((FLAGS \([^)]*\) )?", b"(", text, flags=re.S))
    return out


def without_header_ends(text):
    """Without the line ends at the end of the HEADER, HEADER.FIELDS and MIME sections of parts.

    Where a header ends without a blank line, or a boundary line follows it at once, Dovecot sometimes shows its last line
    end and sometimes not (for all messages of one run alike); in the sizes it always counts. Culver always shows it.
    """
    out, at = b"", 0
    for match in re.finditer(rb"BODY\[[0-9.]+\.(?:HEADER|HEADER\.FIELDS [^\]]*|MIME)\] \{(\d+)\}\r\n", text):
        if match.start() < at:
            continue
        end = match.end() + int(match[1])
        header = text[match.end():end]
        out += text[at:match.start()] + match[0].split(b"{")[0] + header.rstrip(b"\r\n")
        at = end
    return out + text[at:]


def random_header(rng):
    words = [b"a", b"b", b"c.d", b'"q w"', b'"x\\"y"', b"<", b">", b"@", b"@", b",", b",", b":", b";", b"(c)",
             b"(n(e)s)",
             b" ", b" ", b".", b"[1]", b"\\", b'"', b"(", b")", b"\xc3\xa4", b"\n ", b'""', b"a@b", b"<a@b>", b"/",
             b"=",
             b"text", b"plain", b"*", b"0", b"1", b"charset", b"name*0", b"name*1*", b"utf-8''x%20y", b"%", b"\t"]
    names = [b"From", b"To", b"Cc", b"Sender", b"Reply-To", b"Bcc", b"Content-Type: text/plain;", b"Content-Type",
             b"Content-Disposition: inline;", b"Content-Transfer-Encoding", b"Content-Language", b"Content-ID",
             b"Content-Description", b"Subject", b"Date", b"Message-ID", b"In-Reply-To"]
    header = b"MIME-Version: 1.0\n"
    for name in names:
        if rng.random() < 0.4:
            header += name + (b"" if b";" in name else b": ") + b"".join(rng.choice(words)
                                                                         for _ in range(rng.randrange(9))) + b"\n"
    return re.sub(rb"\n+", b"\n", header) + b"\nx\n"


def random_structure(rng):
    lines = [b"--a", b"--a", b"--b", b"--b", b"--a--", b"--b--", b"--ab", b"--ab--", b"--a-", b"--",
             b"Content-Type: multipart/mixed; boundary=a", b"Content-Type: multipart/mixed; boundary=b",
             b"Content-Type: multipart/digest; boundary=ab", b"Content-Type: message/rfc822",
             b"Content-Type: text/html",
             b"Subject: x", b"", b"", b"", b"text", b"Content-Type: multipart/mixed", b"Content-ID: z", b" "]
    message = rng.choice(lines[10:14]) + b"\n" + b"\n" * (rng.random() < 0.8)
    message += b"".join(rng.choice(lines) + b"\n" for _ in range(rng.randrange(18)))
    if rng.random() < 0.3:
        message = message[:-1]
    return message.replace(b"\n", b"\r\n") if rng.random() < 0.3 else message


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    parser.add_argument("--random", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=3)
    options = parser.parse_args()
    if not os.path.exists(dovecot_program()) or os.geteuid() != 0:
        print("skipped: needs Dovecot and root")
        return 77
    messages = []
    for name in sorted(os.listdir(CORPUS)):
        with open(os.path.join(CORPUS, name), "rb") as file:
            messages.append((name, file.read()))
    rng = random.Random(options.seed)
    for number in range(options.random):
        make = rng.choice((random_header, random_structure))
        messages.append((f"random {number}", make(rng)))
    processes = []
    different = 0
    with tempfile.TemporaryDirectory(prefix="culver-structure-") as directory:
        try:
            process, reference = start_dovecot(directory)
            processes.append(process)
            process, culver = start_tool(options.tool, directory)
            processes.append(process)
            for begin in range(0, len(messages), 50):
                some = messages[begin:begin + 50]
                texts = [text for _, text in some]
                for (name, text), theirs, ours in zip(some, answers(reference, texts), answers(culver, texts)):
                    if theirs == ours or without_header_ends(theirs) == without_header_ends(ours):
                        continue
                    different += 1
                    if different <= options.show:
                        at = next((i for i, (a, b) in enumerate(zip(theirs, ours)) if a != b),
                                  min(len(theirs), len(ours)))
                        print(f"DIFFERENT {name} at {at}: {text[:400]!r}\n  dovecot "
                              f"{theirs[max(0, at - 60):at + 100]!r}"
                              f"\n  culver  {ours[max(0, at - 60):at + 100]!r}")
        finally:
            for process in processes:
                process.terminate()
                process.wait()
    print(f"{'FAIL' if different else 'ok'} structures of {len(messages)} messages, {different} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
