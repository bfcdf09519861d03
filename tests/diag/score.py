#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds `causeway diagnose` against captures whose truth is known: score.py [--causeway PROGRAM] [--captures DIR] [-v] [FILE...]

expected.tsv: file, match, code, accepted instead, must not be claimed. A row is right (+1), accepted (+0.7), unknown (0), wrong
(-1) or forbidden (-3). A verdict below 0.5 confidence counts as unknown, a forbidden code above 0.3 as claimed. Three figures
count, never one: failures named rightly or accepted, healthy calls left alone, forbidden claims."""
import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

HEALTHY = ("NORMAL", "NO_CALLS", "CAPTURE_INCOMPLETE", "CAPTURE_ENCRYPTED")


def rows_of(folder):
    with open(os.path.join(folder, "expected.tsv"), encoding="utf-8") as table:
        for line in table:
            if line.startswith("#") or not line.strip():
                continue
            cells = line.rstrip("\n").split("\t") + ["", "", "", ""]
            if cells[0] == "file":
                continue
            yield cells[0], cells[1], cells[2], [c for c in cells[3].split(",") if c], [c for c in cells[4].split(",") if c]


def diagnose(program, path):
    done = subprocess.run([program, "--json", "diagnose", path], capture_output=True, timeout=300)
    if done.returncode != 0:
        return {"error": done.stderr.decode(errors="replace").strip(), "code": done.returncode}
    return json.loads(done.stdout)


def cases_for(result, match):
    cases = result.get("calls", []) + result.get("registrations", [])
    if match == "*":
        return cases
    if match == "h323:*":
        return [c for c in cases if c["sip_call_ids"][0].startswith("h323:")]
    return [c for c in cases if any(i.startswith(match) for i in c["sip_call_ids"])]


def code_of(case):
    first = case["verdicts"][0]
    return first["code"] if first["confidence"] >= 0.5 else "UNKNOWN"


def judge(row, result):
    """(points, what it is called, what was said)"""
    _, match, want, accepted, forbidden = row
    if "error" in result:
        return -1, "wrong", result["error"][:80]
    cases = cases_for(result, match)
    claimed = {v["code"] for c in cases for v in c["verdicts"] if v["confidence"] > 0.3}
    said = sorted({code_of(c) for c in cases})
    text = ",".join(said) or "nothing"
    for code in forbidden:
        if code in claimed:
            return -3, "forbidden", code
    if not cases:
        capture = result.get("verdict", {}).get("code", "NO_CALLS" if not result["calls"] and not result["registrations"] else "")
        said, text = [capture], capture or "no such case"
    if want == "NORMAL" and all(s == "NORMAL" for s in said):
        return 1, "right", text
    bad = [s for s in said if s != want]
    if want in said and (match != "*" or not [s for s in bad if s not in accepted and s != "NORMAL"]):
        return 1, "right", text
    if any(s in accepted for s in said) and not [s for s in said if s not in accepted and s not in ("NORMAL", want)]:
        return 0.7, "accepted", text
    if all(s in ("UNKNOWN", "") for s in said):
        return 0, "unknown", text
    return -1, "wrong", text


def count_cause(causes, row, name, said):
    """[rows that want it, of those named right or accepted, rows where it was said wrongly]"""
    mine = causes.setdefault(row[2], [0, 0, 0])
    mine[0] += 1
    mine[1] += name in ("right", "accepted")
    for code in said.split(",") if name in ("wrong", "forbidden") else ():
        causes.setdefault(code, [0, 0, 0])[2] += 1


def print_causes(causes):
    for code, (wanted, named, wrongly) in sorted(causes.items()):
        claims = named + wrongly
        print(f"{code:28} recall {named} of {wanted}, precision {100 * named // claims if claims else 100} % of {claims}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--causeway", default="build/release/causeway")
    parser.add_argument("--captures", default=os.environ.get("CAUSEWAY_CAPTURES", "../shared/captures"))
    parser.add_argument("--check", action="store_true", help="fail unless enough failures are named, 99 %% of the healthy left alone and nothing forbidden claimed")
    parser.add_argument("--named", type=float, default=95, help="percent of the failures that --check wants named")
    parser.add_argument("--causes", action="store_true", help="precision and recall of each cause")
    parser.add_argument("-v", "--verbose", action="store_true", help="right ones too")
    parser.add_argument("files", nargs="*", help="only rows whose file contains one of these")
    args = parser.parse_args()
    if not os.path.exists(os.path.join(args.captures, "expected.tsv")):
        print("skipped, captures not present")
        return 77 if args.check else 0
    rows = [r for r in rows_of(args.captures) if not args.files or any(f in r[0] for f in args.files)]
    paths = sorted({r[0] for r in rows})
    with ThreadPoolExecutor(2) as pool:
        results = dict(zip(paths, pool.map(lambda p: diagnose(args.causeway, os.path.join(args.captures, p)), paths)))
    counts, causes = {}, {}
    points = 0
    for row in rows:
        got, name, said = judge(row, results[row[0]])
        kind = "healthy" if row[2] in HEALTHY else "failure"
        counts[kind, name] = counts.get((kind, name), 0) + 1
        points += got
        count_cause(causes, row, name, said)
        if args.verbose or name not in ("right", "accepted"):
            print(f"{name:9} {row[0]} {row[1]}: wanted {row[2]}, said {said}")
    if args.causes:
        print_causes(causes)
    total = {k: sum(n for (kind, _), n in counts.items() if kind == k) for k in ("failure", "healthy")}
    good = {k: counts.get((k, "right"), 0) + counts.get((k, "accepted"), 0) for k in total}
    forbidden = sum(n for (_, name), n in counts.items() if name == "forbidden")
    print(f"failures named {good['failure']} of {total['failure']}, healthy left alone {good['healthy']} of {total['healthy']}, "
          f"forbidden {forbidden}, points {points:.1f} of {len(rows)}")
    good_enough = good["failure"] >= args.named / 100 * total["failure"] and good["healthy"] >= 0.99 * total["healthy"] and not forbidden
    return 1 if args.check and not good_enough else 0


if __name__ == "__main__":
    sys.exit(main())
