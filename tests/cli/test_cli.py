# SPDX-License-Identifier: GPL-3.0-or-later
"""causeway as it is typed, against a real API over a fake switch (tests/cli/api_server.c)."""
import json
import os
import re
import select
import socket
import subprocess
import time

import pytest

CAUSEWAY = os.environ.get("CAUSEWAY", "build/release/causeway")
SERVER = os.environ.get("CAUSEWAY_API_SERVER", "build/release/tests/cli_api_server")
LIVE = "06a1f3c2d4000001"
GOOD = "06a1f3c2d3000001"
BAD = "06a1f3c2d3000002"
YAML = """version: 1
mapping_gateways:
  - { name: new-in, addresses: [ "127.0.0.2" ] }
routing_gateways:
  - { name: new-out, address: "127.0.0.3:5060" }
"""


def serve(path):
    process = subprocess.Popen([SERVER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    yield str(path)
    process.stdin.close()
    assert process.wait(10) == 0


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One for all the tests that change nothing."""
    yield from serve(tmp_path_factory.mktemp("api") / "api.sock")


@pytest.fixture
def own_server(tmp_path):
    yield from serve(tmp_path / "api.sock")


def run(*words, sock=None, code=0, stdin=None, **env):
    """Standard output and error of a command that must exit with `code`."""
    environ = {"PATH": os.environ["PATH"], "TZ": "Europe/Amsterdam", **env}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
        if name in os.environ:
            environ[name] = os.environ[name]
    if sock:
        environ["CAUSEWAY_SOCKET"] = sock
    done = subprocess.run([CAUSEWAY, *words], input=stdin, capture_output=True, text=True, env=environ, timeout=30)
    assert done.returncode == code, (words, done.stdout, done.stderr)
    return done.stdout, done.stderr


@pytest.mark.parametrize("words, wanted", [
    (["status"], r"uptime +1:15"),
    (["gateway", "list"], r"MAPPING GATEWAY +ACCOUNT.*\nacme-in +acme .*127\.0\.0\.2 +0/100"),
    (["gateway", "list", "--kind=routing", "--search", "a-1"], r"^ROUTING GATEWAY.*\na-1 +carrier-a +127\.0\.0\.3:5060 +880 "),
    (["gateway", "show", "b-1"], r"address +127\.0\.0\.4:5060"),
    (["phone", "list"], r"1001 +acme"),
    (["account", "list"], r"acme +customer +100\.00"),
    (["registration", "list"], r"1001 .*sip:1001@127\.0\.0\.9:5062 .*Phone/1 +2026-11-22 11:45:30 CET +4:10"),
    (["source", "list"], r"203\.0\.113\.9 +5071 +UDP +7 .*friendly\?\[31mscanner +403 +SOURCE_NOT_AUTHORISED +acme-in lists 203\.0\.113\.8"),
    (["source", "list", "--search", "nobody"], r"^no source was refused$"),
    (["blacklist", "list"], r"^the dynamic blacklist is empty$|caller +4930"),
    (["blacklist", "add", "caller", "4930", "--for", "2h"], r"^caller 4930 is blacklisted$"),
    (["blacklist", "list", "--search", "493"], r"^caller +4930 +operator +20.* 20"),
    (["blacklist", "remove", "caller", "4930"], r"^caller 4930 is blacklisted no more$"),
    (["source", "clear"], r"^3 forgotten$"),
    (["source", "clear", "203.0.113.9"], r"^1 forgotten$"),
    (["call", "list"], r"06a1f3c2d4000002 +talk +2026-11-22 11:45:30 CET +3161\?\[31m +8801712345678"),
    (["call", "show", LIVE], r"talk +1:15"),
    (["call", "hangup", LIVE], r"is being hung up"),
    (["cdr", "list"], r"06a1f3c2d3000002 +2025-11-22 09:27:40 CET .*480 +NO_ANSWER\n06a1f3c2d3000001 .* 1:15 +200 +NORMAL"),
    (["cdr", "list", "--answered"], r"NORMAL"),
    (["cdr", "list", "--failed", "--number", "+8801712"], r"NO_ANSWER|no such records"),
    (["cdr", "list", "--since", "2025-11-22 09:27", "--until", "2025-11-22 10:00"], r"NO_ANSWER"),
    (["cdr", "list", "--since", "2h"], r"^no such records$"),
    (["cdr", "list", "--limit", "1", "--all"], r"NO_ANSWER\n.*\n?.*NORMAL"),
    (["cdr", "show", GOOD], r"end code +NORMAL[\s\S]*attempts 1"),
    (["parameter", "list", "SS_SIP_TIMEOUT_RINGING"], r"ringing_timeout +90s +2m"),
    (["route", "test", "--from", "acme-in", "--callee", "8801712345678"], r"admitted from acme-in, account acme[\s\S]*\nrouted as callee 8801712345678[\s\S]*\na-1 +127\.0\.0\.3:5060 +8801712345678 +3 "),
    (["route", "test", "--from", "acme-in", "--callee", "8801712345678"], r"^LIMITS FOR [\s\S]*^acme-in +gateway +acme-in +0 of 100 in use[\s\S]*^a-1 +group +eu +0 of 20 in use"),
    (["group", "list"], r"^eu +0/20 "),
    (["gateway", "test", "a-1"], r"^health +up[\s\S]*\n\na-1 answers in 12 ms$"),
    (["gateway", "show", "a-1"], r"object +eu\n +lines +0\n +line limit +20$"),
    (["route", "test", "--from", "acme-in", "--callee", "8801712345678"], r"\nordered by protect, prefix, priority, usage, name\n"),
    (["route", "test", "--call", BAD], r"at +2025-11-22 09:27:40 CET .*\nfrom +acme-in +acme-in\n[\s\S]*attempt 1 +a-1: NO_ANSWER +a-1\nattempt 2 +b-1\noutcome +NO_ANSWER +goes out, 2 to try\na-1 +chosen\nb-1 +kept for when"),
    (["config", "export"], r"\*\*\*"),
    (["config", "export", "--secrets"], r"hidden-a"),
    (["openapi"], r'"openapi":"3\.1\.0"'),
    (["trace", "find"], r"^CALL ID .*\n06a1f3c2d3000002 +2025-11-22 09:27:40 CET .* 3161 +999 +acme-in .*404 +NO_ROUTE\n06a1f3c2d3000001 .* b-1 .*NORMAL"),
    (["trace", "find", "--number", "88017", "--until", "2025-11-22 09:27"], r"^06a1f3c2d3000001 "),
    (["trace", "find", "--failed", "--gateway", "acme-in"], r"NO_ROUTE$\n(?![\s\S]*NORMAL)"),
    (["trace", "find", "--number", "777"], r"^no such calls in the trace$"),
    (["trace", "show", BAD], r"^#1 +2025-11-22 09:27:40\.000000 CET  received  127\.0\.0\.2:5060 -> 127\.0\.0\.1:5060  udp  leg a\nINVITE sip:999@"
     r"[\s\S]*^#2 +2025-11-22 09:27:40\.000020 CET  \* call  leg a\n     3161 -> 999, from acme-in$"
     r"[\s\S]*^SIP/2\.0 404 Not Found$[\s\S]*^#4 .*\* end\n     NO_ROUTE 404: no gateway serves 999$"),
    (["trace", "show", f"two-{BAD}@127.0.0.2"], r"^SIP/2\.0 404 Not Found$"),
    (["trace", "show", "--number", "999"], r"^SIP/2\.0 404 Not Found$"),
    (["trace", "show", "--number", "3161", "--at", "2025-11-22 09:27:00"], r"^SIP/2\.0 503 Service Unavailable$"),
    (["trace", "show", "--number", "3161", "--at", "2025-11-22T08:29:00Z"], r"^SIP/2\.0 503 Service Unavailable$"),
    (["trace", "show", "--object", "1002"], r"^SIP/2\.0 403 Forbidden$"),
    (["trace", "ladder", GOOD, "--raw", "7"], r"\A#7 .*sent  127\.0\.0\.1:5060 -> 127\.0\.0\.3:5060  udp  leg b, attempt 1\nINVITE "),
    (["trace", "status"], r"^on +yes$[\s\S]*^calls$"),
    (["trace", "pin", GOOD], r"^pinned +yes$"),
    (["trace", "unpin", GOOD], r"^pinned +no$"),
])
def test_readable(server, words, wanted):
    out, err = run(*words, sock=server)
    assert re.search(wanted, out, re.M), out
    assert "\x1b" not in out
    if "--secrets" not in words:
        assert "hidden-" not in out


@pytest.mark.parametrize("words", [
    "status", "gateway list", "gateway show acme-in", "gateway test a-1", "phone list", "account list", "registration list", "source list", "source clear", "call list",
    f"call show {LIVE}", f"call hangup {LIVE}", "cdr list", f"cdr show {GOOD}", "parameter list", "audit list", "openapi",
    "route test --from acme-in --callee 88017", "trace find", f"trace show {GOOD} --mask", f"trace ladder {GOOD} --mask", "trace status",
    f"trace pin {GOOD}", f"trace unpin {GOOD}", "trace show --object 1002",
])
def test_json(server, words):
    out, _ = run(*words.split(), "--json", sock=server)
    assert json.loads(out)
    assert "hidden-" not in out


LADDER = """\
2025-11-22 09:26:40.000000 CET
                   acme-in          switch             a-1              b-1
               127.0.0.2:5060                    127.0.0.3:5060   127.0.0.4:5060
09:26:40.000          │─ INVITE SDP ──▶│                │                │ 1
09:26:40.000    +20us ◆ call: 3161 → 8801712345678, from acme-in
09:26:40.000    +10us ◆ admit: admitted by acme-in, account acme
09:26:40.000    +10us ◆ route: a-1: chosen, prefix 880
                        b-1: kept for when the others have failed
09:26:40.000    +40us ◆ dial 1: a-1: 8801712345678 at 127.0.0.3:5060
09:26:40.000    +10us │◀─ 100 Trying ──│                │                │ 6
09:26:40.000    +10us │                │ INVITE SDP ×2 ▶│                │ 7
09:26:40.600  +0.599s │                │◀─ 503 Service ─│                │ 9
09:26:40.600    +40us │                │───── ACK ─────▶│                │ 10
09:26:40.600    +10us ◆ attempt 1: a-1: PEER_CONGESTION, 503; on to the next
09:26:40.600    +10us ◆ dial 2: b-1: 8801712345678 at 127.0.0.4:5060
09:26:40.600    +40us │                │────────── INVITE SDP ──────────▶│ 13
09:26:45.000  +4.399s │                │◀────────── 200 OK SDP ──────────│ 14
09:26:45.000    +50us │◀─ 200 OK SDP ──│                │                │ 15
09:28:00.000     +74s │───── BYE ─────▶│                │                │ 16
09:28:00.000   +100us ◆ end: NORMAL 200: the caller hung up
"""


def test_ladder(server):
    out, _ = run("trace", "ladder", GOOD, sock=server, LANG="de_DE.UTF-8")
    assert out == LADDER
    out, _ = run("trace", "ladder", GOOD, sock=server, LANG="C.UTF-8", LC_ALL="C")
    assert out == LADDER.translate(str.maketrans("│─▶◀◆×", "|-><*x")).replace("→", "->")
    out, _ = run("trace", "ladder", GOOD, sock=server, LANG="C.UTF-8", COLUMNS="130")
    assert re.search(r"^09:26:40\.600 .* │ +│◀─+ 503 Service Unavailable ─+│ +│ 9$", out, re.M) and max(map(len, out.splitlines())) <= 130
    out, _ = run("trace", "ladder", "--object", "1002", sock=server)
    assert re.search(r"^ +peer +switch\n +127\.0\.0\.9:5060\n.* \|-+ REGISTER -+>\| 1\n.*\* register: 1002: WRONG_PASSWORD: the password is wrong\n"
                     r".* \|<-+ 403 Forbidden -+\| 3$", out, re.M), out


def test_registration_with_its_trace(server):
    out, _ = run("registration", "analyze", "1002", sock=server, code=1)
    assert re.search(r"^1002 from 127\.0\.0\.9: Its password is wrong\.[\s\S]*\|-+ REGISTER -+>\| 1\n[\s\S]*403 Forbidden", out, re.M), out
    out, _ = run("registration", "analyze", "1002", "--json", sock=server, code=1)
    assert [e["kind"] for e in json.loads(out)["trace"]] == ["message", "register", "message"]
    out, _ = run("registration", "analyze", sock=server, code=1)
    assert "REGISTER" not in out


def test_export(server, tmp_path):
    file = tmp_path / "call.pcapng"
    out, _ = run("trace", "export", BAD, "-o", str(file), sock=server)
    assert out == f"{file}: {file.stat().st_size} bytes\n"
    assert file.read_bytes()[8:12] == b"\x4d\x3c\x2b\x1a" and b"secret-response" in file.read_bytes()
    whole = file.stat().st_size
    out, _ = run("trace", "export", BAD, "--mask", "--output", str(file), "--json", sock=server)
    assert json.loads(out) == {"file": str(file), "bytes": whole} and b"secret-response" not in file.read_bytes()
    named = tmp_path / 'a "name".pcapng'
    out, _ = run("trace", "export", f"two-{BAD}@127.0.0.2", "--json", "-o", str(named), sock=server)
    assert json.loads(out) == {"file": str(named), "bytes": named.stat().st_size} and b"SIP/2.0 404" in named.read_bytes()
    done = subprocess.run([CAUSEWAY, "--socket", server, "trace", "export", "--number", "999", "-o", "-"], capture_output=True, timeout=30)
    assert done.returncode == 0 and b"SIP/2.0 404 Not Found" in done.stdout and b"SIP/2.0 503" not in done.stdout


@pytest.mark.parametrize("words, wanted, unwanted", [
    ([], r"^[\d:.]{12} 06a1f3c2d4000001 127\.0\.0\.3:5060 -> 127\.0\.0\.1:5060 udp  503 Service Unavailable  1 INVITE  leg b, attempt 1$", ""),
    (["--method", "BYE"], r"BYE  2 BYE  leg a$", "INVITE"),
    (["--kind", "end", "--json"], r'^\{.*"end_code":"NORMAL"', "INVITE"),
    (["--call", LIVE, "--full", "--mask"], r"^SIP/2\.0 503 Service Unavailable\nVia: ", "secret-"),
])
def test_follow(tmp_path, words, wanted, unwanted):
    path = tmp_path / "api.sock"
    server = subprocess.Popen([SERVER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdout.readline() == b"ready\n"
    follower = subprocess.Popen([CAUSEWAY, "--socket", str(path), "trace", "follow", *words], stdout=subprocess.PIPE,
                                env={**os.environ, "LC_ALL": "C"})
    lines, end = [], time.time() + 20
    try:
        server.stdin.write(b"\n")  # a client that comes too late for one call sees the next
        server.stdin.flush()
        while not re.search(wanted, "".join(lines), re.M):
            assert time.time() < end, lines
            if not select.select([follower.stdout], [], [], 0.3)[0]:
                server.stdin.write(b"\n")
                server.stdin.flush()
                continue
            lines.append(os.read(follower.stdout.fileno(), 65536).decode())
    finally:
        server.stdin.close()
        assert server.wait(20) == 0  # its end is the follower's
        assert follower.wait(10) == 0
    assert not unwanted or unwanted not in "".join(lines)


def test_cursor_hint(server):
    _, err = run("cdr", "list", "--limit", "1", sock=server)
    assert "--before 06a1f3c2d3000002" in err
    out, _ = run("cdr", "list", "--limit", "1", "--all", "--json", sock=server)
    assert [len(json.loads(page)["cdrs"]) for page in out.splitlines()] == [1, 1]
    out, _ = run("phone", "list", "--after", "1001", "--limit", "1", "--all", sock=server)
    assert re.findall(r"^100\d", out, re.M) == ["1002", "1003"]


def test_trace_switches(own_server):
    out, _ = run("trace", "on", "--minutes", "60", sock=own_server)
    assert re.search(r"^on +yes$", out, re.M)
    assert re.search(r"^trace_until +20\S+ ", run("parameter", "list", "trace_until", sock=own_server)[0], re.M)
    run("trace", "off", sock=own_server)
    assert re.search(r"^trace +off +on ", run("parameter", "list", "trace", sock=own_server)[0], re.M)
    out, _ = run("trace", "gateway", "acme-in", "--minutes", "30", sock=own_server)
    assert re.search(r"^trace until +20", out, re.M)
    assert run("trace", "gateway", "acme-in", "--minutes", "0", sock=own_server)[0] == "name  acme-in\n"
    _, err = run("trace", "gateway", "acmein", "--minutes", "1", sock=own_server, code=1)
    assert "near: acme-in" in err


def test_import(own_server, tmp_path):
    file = tmp_path / "new.yaml"
    file.write_text(YAML)
    out, _ = run("config", "import", str(file), "--dry-run", sock=own_server)
    assert out.startswith("good, nothing was changed: 1 mapping gateway, 1 routing gateway\n")
    out, _ = run("config", "import", "-", sock=own_server, stdin=YAML)
    assert re.match(r"in force: version \d+; 1 mapping gateway, 1 routing gateway$", out, re.M)
    out, _ = run("gateway", "list", sock=own_server)
    assert "new-out" in out and "acme-in" not in out
    out, _ = run("audit", "list", sock=own_server)
    assert re.search(r"^20.* cli:\S+ +config +.*routing_gateways \(added \d", out, re.M), out


def test_numbers(own_server, tmp_path):
    """Groups and areas are edited number by number, and the lists can be sent back."""
    run("config", "import", "-", sock=own_server, stdin="""version: 1
number_groups: [ { name: vip, numbers: [ "1", "2" ], memo: "never" } ]
areas: [ { code: "010", place: Beijing } ]
""")
    out, _ = run("number-group", "list", sock=own_server)
    assert re.search(r"^vip +2 +0 +never$", out, re.M)
    file = tmp_path / "more"
    file.write_text("3\n4, 2\n")
    assert run("number-group", "add", "vip", "5", "6", "--file", str(file), sock=own_server)[0] == "4 added, 0 removed\n"
    assert run("number-group", "remove", "vip", "1", sock=own_server)[0] == "0 added, 1 removed\n"
    out, err = run("number-group", "list", "vip", "--limit", "2", sock=own_server)
    assert out == "2\n3\n" and "--after 3" in err
    out, _ = run("number-group", "list", "vip", "--limit", "2", "--all", sock=own_server)
    assert out == "2\n3\n4\n5\n6\n"
    assert run("number-group", "remove", "vip", "--file", "-", sock=own_server, stdin=out)[0] == "0 added, 5 removed\n"
    _, err = run("number-group", "add", "vip", "--file", "-", sock=own_server, stdin="7\n(8)\n", code=1)
    assert "-:2:" in err and "is no number" in err
    _, err = run("number-group", "add", "vap", "1", sock=own_server, code=1)
    assert "near: vip" in err
    run("number-group", "add", "vip", sock=own_server, code=2)
    assert run("area", "import", "-", sock=own_server, stdin="1390001,010\n1390002,021\n")[0] == "2 added, 0 removed\n"
    out, _ = run("area", "list", sock=own_server)
    assert re.search(r"^010 +Beijing +1\n021 +1$", out, re.M)
    assert run("area", "list", "021", sock=own_server)[0] == "1390002\n"
    out, _ = run("area", "find", "013900015", sock=own_server)
    assert re.search(r"kind +mobile\narea +010\nplace +Beijing", out)
    assert run("area", "import", "-", sock=own_server, stdin="1390001;\n")[0] == "0 added, 1 removed\n"
    out, _ = run("audit", "list", "--limit", "1", sock=own_server)
    assert "area import" in out


def test_import_with_errors(server, tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text(YAML + "phones:\n  - { number: \"1\", acount: x }\n")
    _, err = run("config", "import", str(file), sock=server, code=1)
    assert re.search(rf"^{re.escape(str(file))}:7:\d+: .*acount", err, re.M), err
    _, err = run("config", "check", str(file), sock=server, code=1)
    assert f"{file}:7" in err
    out, _ = run("config", "check", str(file), "--json", sock=server, code=1)
    assert json.loads(out)["errors"][0]["line"] == 7


def test_check_without_daemon(tmp_path):
    file = tmp_path / "new.yaml"
    file.write_text(YAML)
    nowhere = str(tmp_path / "none.sock")
    out, _ = run("config", "check", str(file), sock=nowhere)
    assert "1 mapping gateway" in out
    file.write_text(YAML + "colour: red\n")
    _, err = run("config", "check", str(file), sock=nowhere, code=1)
    assert f"{file}:6" in err
    out, _ = run("config", "check", str(file), "--json", sock=nowhere, code=1)
    assert json.loads(out)["errors"][0]["line"] == 6
    _, err = run("config", "check", str(tmp_path / "absent"), sock=nowhere, code=1)
    assert "No such file" in err


@pytest.mark.parametrize("words, code, wanted", [
    ("gateway show acmein", 1, "near: acme-in"),
    ("gateway show ../../config", 1, "there is no such path"),
    ("gateway show ..", 1, "no mapping or routing gateway"),
    ("call show 00000000000000ff", 1, "causeway cdr show"),
    ("call hangup 00000000000000ff", 1, "no live call"),
    ("cdr show 1", 1, "no record has this call id"),
    ("cdr show nonsense", 2, "hex digits"),
    ("cdr list --limit 0", 2, "a number from 1 to 1000"),
    ("cdr list --code NO_ANSWR", 2, "near: NO_ANSWER"),
    ("cdr list --since someday", 2, "is not a time"),
    ("cdr list --answered --failed", 2, "exclude each other"),
    ("route test --from nobody --callee 1", 1, "nobody"),
    ("route test --from 127.0.0.99 --callee 88017", 1, ""),
    ("trace show 1", 1, "nothing of it is left in the trace"),
    ("trace show one@nowhere", 1, "causeway trace find"),
    ("trace ladder --number 777", 1, "no traced call has this number; causeway trace find"),
    ("trace show --number 3161 --at 2020-01-01", 1, "no traced call has this number within 5 minutes of then"),
    ("trace show --number 3161 --at sometime", 2, "is not a time"),
    (f"trace ladder {GOOD} --raw 18", 2, "1 to 17"),
    ("trace export 1 -o /dev/null", 1, "nothing of it is left"),
    ("trace export --number 777 -o /dev/null", 1, "nothing of it is left"),
    (f"trace export {GOOD} -o /nowhere/x.pcapng", 1, "/nowhere/x.pcapng: cannot be written: No such file"),
    ("trace follow --kind noise", 2, "one of message|call"),
    ("trace pin 1", 1, "nothing of it is left"),
])
def test_refusals(server, words, code, wanted):
    _, err = run(*words.split(), sock=server, code=code)
    assert wanted in err
    assert "hidden-" not in err


@pytest.mark.parametrize("words, wanted", [
    ("", "usage: causeway COMMAND"),
    ("gatway list", "did you mean: causeway gateway"),
    ("gateway lst", "causeway gateway list"),
    ("gateway", "usage: causeway gateway"),
    ("gateway show", "gateway show needs NAME"),
    ("gateway show a b", '"b" is too much'),
    ("status now", "takes no arguments"),
    ("cdr list --sinse 1h", "--since"),
    ("cdr list --since", "a value must follow"),
    ("cdr list --all=1", "takes no value"),
    ("cdr list -x", "no such short option"),
    ("trace show", "needs either an ID, --number or --object"),
    ("trace show 1 --number 2", "needs either"),
    ("trace export 1", "needs -o FILE"),
    ("trace export 1 -o", "a value must follow"),
    ("trace gateway a-1", "needs --minutes"),
    ("--limit 3 cdr list", "before the command"),
    ("route test --from a", "needs --from and --callee"),
    ("route test --from a --call 06a1f3c2d3000001", "takes all else from the call's record"),
])
def test_usage(words, wanted):
    _, err = run(*words.split(), code=2)
    assert wanted in err


def test_help_everywhere():
    out, _ = run("--help")
    commands = re.findall(r"^  ((?:[a-z]+ ?){1,2}) *(?:\S.*)?$", out, re.M)
    assert len([c for c in commands if c.strip()]) >= 18
    assert "cdr list" in run("cdr", "--help")[0]
    out, _ = run("cdr", "list", "--help")
    assert "--since TIME" in out and "Examples:" in out
    assert re.match(r"causeway \d+\.\d+", run("--version")[0])


def test_no_daemon(tmp_path):
    path = str(tmp_path / "none.sock")
    _, err = run("status", "--socket", path, code=1)
    assert f"no daemon answers on {path}: is causewayd running? name its socket with --socket" in err
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(path)
    stale.close()
    _, err = run("status", f"--socket={path}", code=1)
    assert "no daemon answers" in err


def host(root, **files):
    """A copy of what doctor reads, good unless told otherwise."""
    good = {"proc/sys/net/core/rmem_max": "16777216", "proc/sys/net/core/wmem_max": "16777216",
            "proc/sys/net/core/netdev_max_backlog": "5000", "proc/sys/net/core/somaxconn": "4096",
            "proc/net/snmp": "Tcp: A B\nTcp: 1 2\nUdp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors\nUdp: 9 8 7 6 0\nUdpLite: X\n",
            "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc"}
    for path, text in {**good, **{k.replace("__", "/"): v for k, v in files.items()}}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text + "\n")
    return str(root)


def test_doctor(server, tmp_path):
    out, _ = run("doctor", "--root", host(tmp_path / "good"))
    assert re.search(r"receive buffer +16777216 +4194304 or more +yes$", out, re.M) and "sysctl" not in out
    bad = host(tmp_path / "bad", proc__sys__net__core__rmem_max="212992", proc__sys__net__netfilter__nf_conntrack_max="65536",
               proc__net__snmp="Udp: InDatagrams RcvbufErrors\nUdp: 9 41")
    out, _ = run("doctor", "--root", bad, code=1)
    assert re.search(r"^receive buffer: a burst .*\n  sysctl -w net.core.rmem_max=16777216$", out, re.M)
    assert re.search(r"^tracked connections +65536 +262144 or more *$", out, re.M)
    assert re.search(r"^datagrams dropped since boot +41 +0 *$", out, re.M)
    found = {c["check"]: c for c in json.loads(run("doctor", "--root", bad, "--json", code=1)[0])["checks"]}
    assert found["receive buffer"]["good"] is False and found["clock source"]["good"] is True
    done = subprocess.run([CAUSEWAY, "--socket", server, "doctor", "--json"], capture_output=True, timeout=30)
    assert done.returncode in (0, 1)
    found = {c["check"]: c for c in json.loads(done.stdout)["checks"]}
    assert found["daemon"]["good"] and "clock" in found and "open files" in found
    assert found["trace entries without room"]["good"] and not found["trace entries not written"]["good"]
    assert found["trace entries not written"]["value"] == "12, No space left on device"


def test_broken_pipe(server):
    done = subprocess.run(["sh", "-c", f"'{CAUSEWAY}' --socket '{server}' openapi | head -c 10"], capture_output=True, timeout=30)
    assert done.stdout == b'{"openapi"' and done.stderr == b""


def test_full_disk(server):
    with open("/dev/full", "w") as full:
        done = subprocess.run([CAUSEWAY, "--socket", server, "openapi"], stdout=full, stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == 1 and b"No space left" in done.stderr
