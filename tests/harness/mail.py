"""Small clients: a line-level IMAP connection, certificates, messages, swaks."""

import os
import re
import socket
import ssl
import subprocess


def make_message(subject, sender="extuser@extdomain.test", to="mailuser@maildomain.test", body="Hello.\n"):
    return (f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n"
            f"Message-ID: <{re.sub('[^a-z0-9]', '-', subject.lower())}@extdomain.test>\r\n\r\n" + body)


def make_certificate(certificate, key, name="mailhost.maildomain.test", days=30):
    os.makedirs(os.path.dirname(certificate), exist_ok=True)
    os.makedirs(os.path.dirname(key), exist_ok=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days), "-subj",
                    f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    os.chmod(key, 0o600)


class Connection:
    """One line-based connection (IMAP, LMTP, SMTP), in the clear or over TLS."""

    def __init__(self, port, address="127.0.0.1", source=None, tls=False, path=None, timeout=60):
        if path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(path)
        else:
            self.socket = socket.create_connection((address, port), timeout, (source, 0) if source else None)
        if tls:
            self.start_tls()
        self.buffer = b""

    def start_tls(self):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)
        self.buffer = b""

    def send(self, line):
        self.socket.sendall(line.encode() + b"\r\n" if isinstance(line, str) else line)

    def line(self):
        """One line without its line end; None at the end of the connection."""
        while b"\n" not in self.buffer:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r").decode(errors="replace")

    def until(self, tag):
        """Lines up to and with the one that begins with `tag` and a blank; ends with the connection."""
        lines = []
        while True:
            line = self.line()
            if line is None:
                return lines
            lines.append(line)
            if line.startswith(tag + " "):
                return lines

    def command(self, line):
        """Sends an IMAP command; the lines of its answer, the tagged one last."""
        self.send(line)
        return self.until(line.split(" ", 1)[0])

    def reply(self):
        """One SMTP or LMTP reply, its lines joined."""
        lines = []
        while True:
            line = self.line() or ""
            lines.append(line)
            if len(line) < 4 or line[3] != "-":
                return "\n".join(lines)

    def close(self):
        self.socket.close()


def lmtp_deliver(path, recipients, message, sender="extuser@extdomain.test"):
    """Delivers over an LMTP socket; the replies after DATA, one per recipient."""
    lmtp = Connection(None, path=path) if isinstance(path, str) else Connection(path)
    lmtp.reply()
    lmtp.send("LHLO client.test")
    lmtp.reply()
    lmtp.send(f"MAIL FROM:<{sender}>")
    assert lmtp.reply().startswith("250"), "MAIL is refused"
    accepted = 0
    for recipient in recipients:
        lmtp.send(f"RCPT TO:<{recipient}>")
        accepted += lmtp.reply().startswith("250")
    lmtp.send("DATA")
    assert lmtp.reply().startswith("354"), "DATA is refused"
    lmtp.send(message.encode().replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
    replies = [lmtp.reply() for _ in range(accepted)]
    lmtp.send("QUIT")
    lmtp.close()
    return replies


def swaks(*arguments, timeout=120):
    """Runs swaks; gives (exit code, transcript)."""
    result = subprocess.run(["swaks", "--helo", "exthost.extdomain.test", *arguments], capture_output=True, text=True,
                            timeout=timeout)
    return result.returncode, result.stdout + result.stderr
