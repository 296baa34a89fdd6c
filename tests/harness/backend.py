"""A backend that follows a script: what a proxy makes of any answer.

    Backend("127.0.0.6", 2001, answers={"LOGIN": "TAG OK in"}).lines    what the proxy has sent, line by line

`answers`: the first key that occurs in a line decides; TAG is the line's tag. None closes the connection, "" says
nothing. `tls`: a certificate (pki.Certificate), at once or, with `starttls`, behind STARTTLS;
`client_ca`: the proxy has to show one of these certificates.
"""

import socket
import ssl
import threading

CAPABILITY = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN"
GREETING = f"* OK [CAPABILITY {CAPABILITY}] Backend ready."
ANSWERS = {" ID ": "* ID NIL\r\nTAG OK ID completed.", "CAPABILITY": f"* CAPABILITY {CAPABILITY}\r\nTAG OK Listed.",
           " LOGIN ": "TAG OK [CAPABILITY IMAP4rev1 XBACK] Logged in", "NOOP": "TAG OK Nothing.",
           "AUTHENTICATE": "TAG OK [CAPABILITY IMAP4rev1 XBACK] Logged in", "LOGOUT": "* BYE Bye.\r\nTAG OK Out."}


class Backend:
    def __init__(self, address, port, greeting=GREETING, answers=None, tls=None, starttls=False, client_ca=None):
        self.greeting, self.answers = greeting, {**(answers or {}), **ANSWERS, **(answers or {})}
        self.tls, self.starttls, self.client_ca = tls, starttls, client_ca
        self.lines, self.peers = [], []
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, peer = self.listener.accept()
            self.peers.append(peer[0])
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self.tls:
                connection = self._secure(connection)
            if self.greeting is not None:
                connection.sendall(self.greeting.encode() + b"\r\n")
            for line in connection.makefile("rb"):
                text = line.decode(errors="replace").rstrip("\r\n")
                self.lines.append(text)
                answer = next((self.answers[key] for key in self.answers if key in text), "")
                if answer is None:
                    break
                if answer:
                    connection.sendall(answer.replace("TAG", text.split(" ")[0]).encode() + b"\r\n")
        except OSError:
            pass
        connection.close()

    def _secure(self, connection):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.tls.certificate, self.tls.key)
        if self.client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.client_ca)
        if self.starttls:
            connection.sendall(b"* OK [CAPABILITY IMAP4rev1 ID STARTTLS LOGINDISABLED] In the clear.\r\n")
            line = b""
            while b"STARTTLS\r\n" not in line:
                block = connection.recv(4096)
                if not block:
                    raise OSError("closed")
                line += block
            self.lines += line.decode().splitlines()
            connection.sendall(b"S OK Go.\r\n")
        secured = context.wrap_socket(connection, server_side=True)
        if self.starttls:
            self.greeting = None
        return secured
