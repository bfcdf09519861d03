# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets of a test endpoint, and the faults a test may order for what passes through them."""

import re
import socket
import ssl
import threading
import time

from .sip import Message


class Fault:
    """Applies to messages of one direction and kind: after `skip` of them, to `count` of them."""

    def __init__(self, action, direction, kind, skip, count, seconds):
        self.action, self.direction, self.kind = action, direction, kind
        self.skip, self.count, self.seconds = skip, count, seconds

    def takes(self, direction, message):
        if direction != self.direction or self.count == 0:
            return False
        status, _, method = self.kind.partition("/")
        if message.status is None:
            if message.method != self.kind:
                return False
        elif str(message.status) != status or (method and message.cseq_method != method):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.count -= 1
        return True


class Wire:
    """One listening address and the switch's. `on_message(message)` is called on an inner thread.
    UDP: one socket. TCP, TLS: connections of either side's making, the last one used for sending."""

    def __init__(self, proto, host, port, switch, on_message, tls=None):
        self.proto, self.switch, self.on_message, self.tls = proto, switch, on_message, tls
        self.faults, self.closed, self.connections = [], False, []
        self.plain = []         # (time, text) of datagrams that are no SIP
        self.lock = threading.RLock()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.family = family
        self.sock = socket.socket(family, socket.SOCK_DGRAM if proto == "udp" else socket.SOCK_STREAM)
        if proto != "udp":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((host, port))
        self.host, self.port = self.sock.getsockname()[:2]
        if proto != "udp":
            self.sock.listen(16)
        self.start(self.read_datagrams if proto == "udp" else self.accept)

    def start(self, work, *args):
        threading.Thread(target=work, args=args, daemon=True).start()

    def read_datagrams(self):
        while not self.closed:
            try:
                data, source = self.sock.recvfrom(65536)
            except ConnectionRefusedError:
                continue
            except OSError:
                return
            if data.strip():
                self.arrived(data, source)

    def accept(self):
        while not self.closed:
            try:
                conn, _ = self.sock.accept()
                if self.tls:
                    conn = self.tls.server.wrap_socket(conn, server_side=True)
            except ssl.SSLError:
                continue
            except OSError:
                return
            self.adopt(conn)

    def adopt(self, conn):
        with self.lock:
            self.connections.append(conn)
        self.start(self.read_stream, conn)

    def read_stream(self, conn):
        data = b""
        while not self.closed:
            try:
                more = conn.recv(65536)
            except OSError:
                more = b""
            if not more:
                break
            data = (data + more).lstrip(b"\r\n")
            while True:
                head, found, rest = data.partition(b"\r\n\r\n")
                length = re.search(rb"\r\n(?:Content-Length|l)[ \t]*:[ \t]*(\d+)", head, re.I)
                body = int(length.group(1)) if length else 0
                if not found or len(rest) < body:
                    break
                self.arrived(head + found + rest[:body], None)
                data = rest[body:].lstrip(b"\r\n")
        with self.lock:
            if conn in self.connections:
                self.connections.remove(conn)

    def arrived(self, data, source):
        if b"SIP/2.0" not in data:
            self.plain.append((time.time(), data.decode("latin-1")))
            return
        message = Message(data)
        message.at = "%s:%d" % (self.host, self.port)
        times = 1
        for fault in list(self.faults):
            if fault.takes("in", message):
                if fault.action == "drop":
                    return
                if fault.action == "delay":
                    time.sleep(fault.seconds)
                times += fault.action == "duplicate"
        for _ in range(times):
            self.on_message(message, source)

    def connection(self):
        with self.lock:
            if self.connections:
                return self.connections[-1]
        conn = socket.socket(self.family, socket.SOCK_STREAM)
        conn.settimeout(5)
        conn.bind((self.host, 0))
        conn.connect(self.switch)
        conn.settimeout(None)
        if self.tls:
            conn = self.tls.client.wrap_socket(conn, server_hostname="causeway.test")
        self.adopt(conn)
        return conn

    def send(self, data):
        message = Message(data)
        for fault in list(self.faults):
            if fault.takes("out", message):
                if fault.action == "drop":
                    return
                if fault.action == "delay":
                    threading.Timer(fault.seconds, self.put, (data,)).start()
                    return
                if fault.action == "duplicate":
                    self.put(data)
                if fault.action == "corrupt":
                    data = data.replace(b"\r\nCSeq", b"\r\nCS\x00q", 1)
        self.put(data)

    def put(self, data):
        try:
            if self.proto == "udp":
                self.sock.sendto(data, self.switch)
            else:
                self.connection().sendall(data)
        except ConnectionRefusedError:
            if self.proto != "udp":
                raise

    def hang_up(self):
        """Close every connection, as a crashed peer would."""
        with self.lock:
            broken, self.connections = self.connections, []
        for conn in broken:
            self.break_off(conn)

    @staticmethod
    def break_off(sock):
        """Closing alone would wait for the thread that reads from it."""
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        sock.close()

    def close(self):
        self.closed = True
        self.break_off(self.sock)
        self.hang_up()
