# SPDX-License-Identifier: GPL-3.0-or-later
"""A name server of a test's own (RFC 1035, 2782, 3403) on UDP: it knows what the test's `dns` block says and nothing else."""

import ipaddress
import socket
import struct
import threading

from .language import FlowError

PORT = 5353
TYPES = {"A": 1, "AAAA": 28, "SRV": 33, "NAPTR": 35}
OK, NO_SUCH_NAME = 0, 3


def name_bytes(name):
    labels = [label for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def text_bytes(text):
    return bytes([len(text)]) + text.encode()


def record_bytes(kind, words):
    """The data of a record from its words as zone files have them."""
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(words[0]).packed
    if kind == "SRV":
        priority, weight, port, target = words
        return struct.pack("!HHH", int(priority), int(weight), int(port)) + name_bytes(target)
    order, preference, flags, service, replacement = words
    return struct.pack("!HH", int(order), int(preference)) + text_bytes(flags) + text_bytes(service) + \
        text_bytes("") + name_bytes(replacement)


class NameServer:
    """`statements`: NAME TYPE DATA..., NAME silent, NAME NXDOMAIN. Names that none mentions do not exist."""

    def __init__(self, host, statements, expand):
        self.records, self.silent = {}, set()
        for statement in statements:
            words = [expand(w) for w in statement.words]
            self.add(words[0].lower(), words[1:], statement.line)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, PORT))
        threading.Thread(target=self.serve, daemon=True).start()

    def add(self, name, words, line):
        if words == ["silent"]:
            self.silent.add(name)
        elif words == ["NXDOMAIN"]:
            self.records.pop(name, None)
        elif words and words[0] in TYPES:
            try:
                data = record_bytes(words[0], words[1:])
            except ValueError:
                raise FlowError("line %d: no such %s record" % (line, words[0]))
            self.records.setdefault(name, []).append((TYPES[words[0]], data))
        else:
            raise FlowError("line %d: a name server knows A, AAAA, SRV, NAPTR, silent, NXDOMAIN" % line)

    def serve(self):
        while True:
            try:
                question, source = self.sock.recvfrom(4096)
            except OSError:
                return
            answer = self.answer(question)
            if answer:
                self.sock.sendto(answer, source)

    def answer(self, question):
        at, labels = 12, []
        while at < len(question) and question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode("latin-1"))
            at += 1 + question[at]
        kind = struct.unpack("!H", question[at + 1:at + 3])[0]
        name = ".".join(labels).lower()
        if name in self.silent:
            return None
        found = [data for known, data in self.records.get(name, []) if known == kind]
        status = OK if name in self.records else NO_SUCH_NAME
        head = question[:2] + struct.pack("!HHHHH", 0x8580 | status, 1, len(found), 0, 0)
        records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data for data in found)
        return head + question[12:at + 5] + records

    def close(self):
        self.sock.close()
