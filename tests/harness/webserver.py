"""A web service for tests: it answers as a function says, and keeps what it was asked.

    service = WebServer(lambda request: (200, {"active": True}))
    service.url, service.requests       each Request: method, path, query (dict), headers, body
    service.answer = ...                another function; it may raise Cut to close the connection
    with Held(function) as held: ...    an answer that does not come before the end of the block (or held.release())
    service.down(), service.up()        nothing listens; the same port again
    WebServer(answer, tls=authority.certificate("localhost"))    HTTPS
"""

import contextlib
import dataclasses
import http.server
import json
import os
import socket
import ssl
import subprocess
import threading
import urllib.parse


class Cut(Exception):
    """Closes the connection without an answer."""


class Held:
    """Answers as the function says, but not before it is released: a service that hangs, for as long as it must."""

    def __init__(self, answer):
        self.answer, self.waiting = answer, []
        self._released = threading.Event()

    def __call__(self, request):
        self.waiting.append(request)
        self._released.wait()
        return self.answer(request)

    def release(self):
        self._released.set()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.release()


@dataclasses.dataclass
class Request:
    method: str
    path: str
    query: dict
    headers: dict
    body: str

    def form(self):
        return dict(urllib.parse.parse_qsl(self.body, keep_blank_values=True))

    def json(self):
        return json.loads(self.body)


class _Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # so that nobody who comes with many others tries again after a second

    def handle_error(self, request, client_address):
        pass  # a peer that goes away is no news


class WebServer:
    def __init__(self, answer, tls=None):
        self.answer, self.requests, self.tls = answer, [], tls
        self.port, self.server, self.connections = 0, None, set()
        self.up()

    @property
    def url(self):
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    def up(self):
        self.server = _Listener(("127.0.0.1", self.port), self._handler())
        self.port = self.server.server_address[1]
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.tls.certificate, self.tls.key)
            if self.tls.client_authority:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(self.tls.client_authority)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def down(self):
        self.server.shutdown()
        self.server.server_close()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def take(self):
        """What was asked since the last call."""
        taken, self.requests = self.requests, []
        return taken

    def _handler(outer):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                outer.connections.add(self.connection)

            def finish(self):
                outer.connections.discard(self.connection)
                super().finish()

            def serve(self):
                length = int(self.headers.get("Content-Length") or 0)
                path, _, query = self.path.partition("?")
                request = Request(self.command, path, dict(urllib.parse.parse_qsl(query, keep_blank_values=True)),
                                  dict(self.headers), self.rfile.read(length).decode())
                outer.requests.append(request)
                try:
                    status, content, *headers = outer.answer(request)
                except Cut:
                    self.close_connection = True
                    return
                text = content if isinstance(content, (str, bytes)) else json.dumps(content)
                data = text if isinstance(text, bytes) else text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                for name, value in (headers[0] if headers else {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = serve

            def log_message(self, *args):
                pass

        return Handler


@dataclasses.dataclass
class Identity:
    certificate: str
    key: str
    client_authority: str = None  # set: the server wants a certificate of this authority


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, directory, name="Test authority"):
        self.directory = directory
        os.makedirs(directory, exist_ok=True)
        self.path, self.key = f"{directory}/ca.pem", f"{directory}/ca.key"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                 "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.path)

    def certificate(self, name, address="127.0.0.1"):
        stem = f"{self.directory}/{name}"
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                 "-keyout", stem + ".key", "-out", stem + ".csr")
        with open(stem + ".ext", "w") as file:
            file.write(f"subjectAltName=DNS:{name},IP:{address}\n")
        _openssl("x509", "-req", "-days", "30", "-in", stem + ".csr", "-CA", self.path, "-CAkey", self.key,
                 "-CAcreateserial", "-extfile", stem + ".ext", "-out", stem + ".pem")
        os.chmod(stem + ".key", 0o644)
        return Identity(stem + ".pem", stem + ".key")


def _openssl(*arguments, input=None):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, input=input).stdout
