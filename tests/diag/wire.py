# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets as a tap writes them: UDP, TCP and ICMP over IPv4 and IPv6, under several link layers, into a pcap file."""
import ipaddress
import struct

ETHERNET, RAW, COOKED, COOKED2, LOOPBACK = 1, 101, 113, 276, 0
LINKS = ("ethernet", "ethernet", "ethernet", "vlan", "cooked", "cooked2", "raw", "loopback")
EPOCH = 1_700_000_000


def packed(host):
    return ipaddress.ip_address(host).packed


class Tap:
    """What was seen: (time, link bytes). Two interfaces may see each packet, one may cut it, and the file has a beginning and an end."""

    def __init__(self, rng, link=None, mirrored=False):
        self.rng = rng
        self.link = link or rng.choice(LINKS)
        self.vlan = rng.randrange(2, 4000)
        self.mac = bytes(rng.randrange(256) & 0xfe if i % 6 == 0 else rng.randrange(256) for i in range(12))
        self.mirrored = mirrored
        self.frames = []
        self.ids = {}
        self.streams = {}
        self.packed = {}
        self.snap = 262144
        self.begins, self.ends = None, None
        self.alone = False      # no other people's calls beside it

    # ---- layers -----------------------------------------------------------------------------------------
    def host(self, host):
        if host not in self.packed:
            self.packed[host] = packed(host)
        return self.packed[host]

    def ip(self, src, dst, protocol, payload, ttl=60, dscp=0, more=0, offset=0, ip_id=None):
        a, b = self.host(src), self.host(dst)
        if len(a) == 16:
            return struct.pack("!IHBB", 6 << 28 | dscp << 22, len(payload), protocol, ttl) + a + b + payload
        if ip_id is None:
            ip_id = self.ids[src] = (self.ids.get(src) or self.rng.randrange(65536)) % 65535 + 1
        return struct.pack("!BBHHHBBH", 0x45, dscp << 2, 20 + len(payload), ip_id, (0x2000 if more else 0) | offset // 8, ttl, protocol, 0) + a + b + payload

    def under(self, packet, second=False):
        six = packet[0] >> 4 == 6
        ether = b"\x86\xdd" if six else b"\x08\x00"
        if self.link == "ethernet":
            mac = self.mac[6:] + self.mac[:6] if second else self.mac
            return mac + ether + packet
        if self.link == "vlan":
            return self.mac + struct.pack("!HH", 0x8100, self.vlan + second) + ether + packet
        if self.link == "cooked":
            return struct.pack("!HHH8s", 4 if second else 0, 1, 6, self.mac[:6] + b"\0\0") + ether + packet
        if self.link == "cooked2":
            return ether + struct.pack("!HIHBB8s", 0, 3 if second else 2, 1, 4 if second else 0, 6, self.mac[:6] + b"\0\0") + packet
        if self.link == "loopback":
            return struct.pack("<I", 30 if six else 2) + packet
        return packet

    def see(self, t, packet):
        self.frames.append((t, self.under(packet)))
        if self.mirrored:
            self.frames.append((t + self.rng.uniform(0.00001, 0.0015), self.under(packet, True)))

    # ---- datagrams ------------------------------------------------------------------------------------------
    def udp(self, t, src, dst, payload, ttl=60, dscp=0):
        head = struct.pack("!HHHH", src[1], dst[1], 8 + len(payload), 0)
        self.see(t, self.ip(src[0], dst[0], 17, head + payload, ttl, dscp))

    def udp_pieces(self, t, src, dst, payload, seen=None):
        """In fragments of at most 1480 bytes; `seen`: those of them that this place sees."""
        whole = struct.pack("!HHHH", src[1], dst[1], 8 + len(payload), 0) + payload
        ip_id = self.rng.randrange(1, 65535)
        for n, at in enumerate(range(0, len(whole), 1480)):
            if seen is None or n in seen:
                self.see(t + n * 0.00002, self.ip(src[0], dst[0], 17, whole[at:at + 1480], more=at + 1480 < len(whole), offset=at, ip_id=ip_id))

    def icmp(self, t, reporter, src, dst, kind, code, payload=b"x" * 20):
        """`reporter` tells `src` that its datagram to `dst` was not delivered."""
        six = ":" in src[0]
        inner = self.ip(src[0], dst[0], 17, struct.pack("!HHHH", src[1], dst[1], 8 + len(payload), 0) + payload)
        self.see(t, self.ip(reporter, src[0], 58 if six else 1, struct.pack("!BBHI", kind, code, 0, 0) + inner[:548]))

    # ---- TCP --------------------------------------------------------------------------------------------------
    def segment(self, t, src, dst, flags, payload=b"", seq=None, ack=0):
        key = (src, dst)
        if key not in self.streams:
            self.streams[key] = self.rng.randrange(1 << 32)
        seq = self.streams[key] if seq is None else seq
        head = struct.pack("!HHIIBBHHH", src[1], dst[1], seq & 0xffffffff, ack & 0xffffffff, 5 << 4, flags, 65000, 0, 0)
        self.see(t, self.ip(src[0], dst[0], 6, head + payload))

    def tcp_open(self, t, src, dst, took=0.01):
        self.segment(t, src, dst, 2)
        self.segment(t + took, dst, src, 18)
        self.streams[src, dst] += 1
        self.streams[dst, src] += 1
        self.segment(t + took + 0.0005, src, dst, 16)

    def tcp_data(self, t, src, dst, payload):
        """In segments of any size, sometimes repeated or out of order."""
        if (src, dst) not in self.streams:
            self.streams[src, dst] = self.rng.randrange(1 << 32)
        seq = self.streams[src, dst]
        pieces = []
        while payload:
            n = self.rng.choice((len(payload), 1400, 536, self.rng.randrange(20, 900)))
            pieces.append((seq, payload[:n]))
            seq += len(payload[:n])
            payload = payload[n:]
        self.streams[src, dst] = seq
        if len(pieces) > 1 and self.rng.random() < 0.15:
            pieces[0], pieces[1] = pieces[1], pieces[0]
        for n, (at, piece) in enumerate(pieces):
            self.segment(t + n * 0.00005, src, dst, 24, piece, at)
            if self.rng.random() < 0.05:
                self.segment(t + 0.0002 + n * 0.00005, src, dst, 24, piece, at)
        self.segment(t + 0.001, dst, src, 16)

    # ---- the file ---------------------------------------------------------------------------------------------
    def write(self, path):
        self.frames.sort(key=lambda f: f[0])
        link = {"vlan": ETHERNET, "ethernet": ETHERNET, "cooked": COOKED, "cooked2": COOKED2, "loopback": LOOPBACK, "raw": RAW}[self.link]
        with open(path, "wb") as out:
            out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, self.snap, link))
            for t, frame in self.frames:
                if (self.begins is not None and t < self.begins) or (self.ends is not None and t > self.ends):
                    continue
                us = int(round((EPOCH + t) * 1_000_000))
                out.write(struct.pack("<IIII", us // 1_000_000, us % 1_000_000, min(len(frame), self.snap), len(frame)) + frame[:self.snap])
