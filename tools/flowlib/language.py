# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a flow file into statements.

A statement is a row of words, bare or "quoted", which a newline or ";" ends; a block of statements in braces
may follow. After a few heads (RAW) the block is text taken as it stands, up to its matching brace. "#" where
a word could begin starts a comment.
"""

RAW = {"config", "boot", "raw", "body"}


class FlowError(Exception):
    """The test file itself is wrong."""


class Statement:
    def __init__(self, words, block, raw, line):
        self.words, self.block, self.raw, self.line = words, block, raw, line

    @property
    def head(self):
        return self.words[0]

    def __str__(self):
        return " ".join(w if w and " " not in w else '"%s"' % w for w in self.words)


class Reader:
    def __init__(self, text, name):
        self.text, self.name, self.at, self.line = text, name, 0, 1

    def fail(self, what):
        raise FlowError("%s:%d: %s" % (self.name, self.line, what))

    def peek(self):
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self):
        c = self.text[self.at]
        self.at += 1
        if c == "\n":
            self.line += 1
        return c

    def skip_blanks(self):
        while self.peek() and (self.peek() in " \t\r" or self.peek() == "#"):
            if self.peek() == "#":
                while self.peek() not in ("", "\n"):
                    self.take()
            else:
                self.take()

    def quoted(self):
        self.take()
        out = ""
        while self.peek() != '"':
            if self.peek() in ("", "\n"):
                self.fail("a quoted word is not closed")
            c = self.take()
            if c == "\\" and self.peek() in ('"', "\\"):
                c = self.take()
            out += c
        self.take()
        return out

    def bare(self):
        """A bare word; "${name}" inside it is part of it."""
        out = ""
        while self.peek() and self.peek() not in ' \t\r\n;{}"':
            c = self.take()
            out += c
            if c == "$" and self.peek() == "{":
                while self.peek() not in ("", "\n", "}"):
                    out += self.take()
                if self.peek() == "}":
                    out += self.take()
        return out

    def raw_block(self):
        self.take()
        start, depth = self.at, 1
        while depth:
            if not self.peek():
                self.fail("a block is not closed")
            c = self.take()
            depth += {"{": 1, "}": -1}.get(c, 0)
        return self.text[start:self.at - 1]

    def statement(self):
        line, words = self.line, []
        while True:
            self.skip_blanks()
            c = self.peek()
            if c in ("", "\n", ";", "}"):
                return Statement(words, None, None, line)
            if c == "{":
                if not words:
                    self.fail("a block without a name")
                if words[0] in RAW:
                    return Statement(words, None, self.raw_block(), line)
                self.take()
                return Statement(words, self.statements("}"), None, line)
            words.append(self.quoted() if c == '"' else self.bare())

    def statements(self, end):
        out = []
        while True:
            self.skip_blanks()
            c = self.peek()
            if c in ("\n", ";"):
                self.take()
            elif c == "" or c == "}":
                if c != end:
                    self.fail("a block is not closed" if c == "" else "a brace too many")
                if c:
                    self.take()
                return out
            else:
                out.append(self.statement())


def read(text, name):
    """The statements of a file; FlowError says what is wrong and where."""
    return Reader(text, name).statements("")


def seconds(text):
    """"200ms", "2s", "1m" as a number of seconds."""
    for unit, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0)):
        if text.endswith(unit):
            try:
                return float(text[:-len(unit)]) * factor
            except ValueError:
                break
    raise FlowError('"%s" is not a duration (200ms, 2s, 1m)' % text)
