"""A recorder between a client and a UNIX socket: what each side sent, connection by connection."""

import os
import socket
import threading


class Tap:
    def __init__(self, path, target, mode=0o666):
        self.path, self.target = path, target
        self.connections = []  # each a list of (from_client: bool, bytes)
        self.listener = socket.socket(socket.AF_UNIX)
        if os.path.exists(path):
            os.unlink(path)
        self.listener.bind(path)
        os.chmod(path, mode)
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self.target)
            except OSError:
                client.close()
                continue
            record = []
            self.connections.append(record)
            for source, sink, from_client in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._copy, args=(source, sink, record, from_client), daemon=True).start()

    @staticmethod
    def _copy(source, sink, record, from_client):
        try:
            while block := source.recv(65536):
                record.append((from_client, block))
                sink.sendall(block)
        except OSError:
            pass
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def sent(self):
        """What the clients sent: one bytes object per connection."""
        return [b"".join(block for from_client, block in record if from_client) for record in self.connections]

    def received(self):
        return [b"".join(block for from_client, block in record if not from_client) for record in self.connections]

    def forget(self):
        self.connections.clear()
