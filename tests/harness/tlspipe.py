"""An IMAP connection over TLS that knows what it is bound to: `openssl s_client`, whose keying material counts as one
client's own view of the channel. And somebody in the middle, who ends TLS and begins it anew.
"""

import hashlib
import itertools
import socket
import ssl
import subprocess
import threading

LABEL = "EXPORTER-Channel-Binding"
_numbers = itertools.count(1)


def new_source():
    """An address in a network of its own: who failed before is not held there."""
    number = next(_numbers)
    return f"127.{40 + number // 250}.{1 + number % 250}.1"


class BoundConnection:
    def __init__(self, port=993, address="127.0.0.1", *options):
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"{address}:{port}", "-bind", new_source(), "-nocommands", "-crlf",
             "-ign_eof",
             "-keymatexport", LABEL, "-keymatexportlen", "32", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.tls_exporter, self.greeting = None, None
        while self.greeting is None:
            line = self.process.stdout.readline()
            assert line, "openssl s_client ends before the greeting"
            line = line.decode(errors="replace").strip()
            if line.startswith("Keying material: "):
                self.tls_exporter = bytes.fromhex(line.removeprefix("Keying material: "))
            if line.startswith("* "):
                self.greeting = line

    def send(self, line):
        self.process.stdin.write(line if isinstance(line, bytes) else line.encode() + b"\n")
        self.process.stdin.flush()

    def line(self):
        """None at the end of the connection. What s_client says in between is left out."""
        while line := self.process.stdout.readline().decode(errors="replace"):
            line = line.rstrip("\r\n")
            if line.startswith(("* ", "+", "a ", "b ", "c ")):
                return line
        return None

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def server_end_point(certificate):
    """tls-server-end-point of a certificate signed with SHA-256 (RFC 5929 §4)."""
    with open(certificate) as file:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read().split("-----END")[0]
                                                       + "-----END CERTIFICATE-----\n")).digest()


class Middle:
    """Listens on `port` with its own certificate and passes on what it reads, changed by `change`, from port 993."""

    def __init__(self, port, certificate, key, change=lambda data: data):
        self.change = change
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(certificate, key)
        self.client = ssl.create_default_context()
        self.client.check_hostname, self.client.verify_mode = False, ssl.CERT_NONE
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            near, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near):
        try:
            near = self.server.wrap_socket(near, server_side=True)
            far = self.client.wrap_socket(socket.create_connection(("127.0.0.1", 993), 20, (new_source(), 0)))
        except OSError:
            return
        threading.Thread(target=self._pump, args=(near, far, lambda data: data), daemon=True).start()
        self._pump(far, near, self.change)

    @staticmethod
    def _pump(source, target, change):
        try:
            while data := source.recv(65536):
                target.sendall(change(data))
        except OSError:
            pass
        target.close()
