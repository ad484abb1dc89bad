#!/usr/bin/env python3
"""Makes Markdown tables of what tools/bench measured; with PAGE puts each between its markers there.

    bench-tables.py FOLDER [PAGE]
"""

import json
import re
import sys
from pathlib import Path

COUNT_LIMITS = {"fan-out/500-alone": 25, "fan-out/500-of-4096": 25}
# Sound: 2 % and 10 % of a core, for each of 32 voices in 10 ms.
TIME_LIMITS = {"fan-out/500-alone": 4, "fan-out/500-of-4096": 4, "listen/mix-32": 6_250, "listen/hear-32": 31_250}
# A frame's decision: its packet taken, and what is heard.
TIME_LIMITS |= dict.fromkeys(("playout/steady", "playout/jitter", "playout/loss"), 200)


def rows_of(path):
    return [line.split("\t") for line in path.read_text().splitlines()]


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def judged(value, text, limit):
    if limit is None:
        return text
    return f"{text} (wanted: {limit:,}{'' if value <= limit else '; **missed**'})"


# Cases with such a beginning have a table of their own, with this as its mark; all others are the core's.
SOUND = ("capture",)


def of_sound(name):
    return name.split("/")[0] in SOUND


def counted(folder):
    rows = []
    for name, pieces, runs, total, what in rows_of(folder / "counts"):
        if of_sound(name):
            continue
        per_run = int(total) / int(runs)
        per_piece = per_run / int(pieces)
        each = judged(per_piece, f"{per_piece:,.1f}", COUNT_LIMITS.get(name)) if int(pieces) > 1 else ""
        rows.append([f"`{name}`", what, f"{per_run:,.0f}", each])
    return table(["case", "one run is", "instructions per run", "per delivery, record, frame or voice"], rows)


def counted_sound(folder, kind):
    rows = []
    for name, _, runs, total, what in rows_of(folder / "counts"):
        if name.startswith(kind + "/"):
            rows.append([f"`{name}`", what, f"{int(total) / int(runs):,.0f}"])
    return table(["case", "what is on", "instructions per 10 ms"], rows) if rows else None


def sizes(folder):
    rows = []
    for what, size, limit in rows_of(folder / "sizes"):
        rows.append([what, judged(int(size), f"{int(size):,}", int(limit) if limit else None)])
    return table(["what", "bytes"], rows)


def medians_of(round_folder):
    """The median of every case of one round, ns per run."""
    medians = {}
    for path in round_folder.glob("**/new/benchmark.json"):
        name = json.loads(path.read_text())["function_id"]
        medians[name] = json.loads(path.with_name("estimates.json").read_text())["median"]["point_estimate"]
    return medians


def nanoseconds(ns):
    return f"{ns:,.2f}" if ns < 100 else f"{ns:,.0f}"


def timed(folder):
    rounds = [medians_of(path) for path in sorted(folder.glob("round-*"))]
    if not rounds:
        return None
    rows = []
    for name, pieces, _, _, _ in rows_of(folder / "counts"):
        ns = sorted(medians[name] for medians in rounds)
        spread = f"{nanoseconds(ns[0])} to {nanoseconds(ns[-1])}"
        each = ""
        if int(pieces) > 1:
            low, high = ns[0] / int(pieces), ns[-1] / int(pieces)
            each = judged(high, f"{low:.2f} to {high:.2f}", TIME_LIMITS.get(name))
        rows.append([f"`{name}`", spread, each])
    return table(["case", f"ns per run, medians of {len(rounds)} rounds", "ns per delivery, record, frame or voice"], rows)


def splice(page, mark, text):
    pattern = re.compile(rf"(<!-- {mark}:begin -->\n).*?(<!-- {mark}:end -->)", re.DOTALL)
    changed, count = pattern.subn(lambda found: found[1] + "\n" + text + "\n\n" + found[2], page)
    if count != 1:
        sys.exit(f"bench-tables: the page must have the markers '<!-- {mark}:begin -->' and '<!-- {mark}:end -->' once")
    return changed


def main(folder, page=None):
    tables = {"counted": counted(Path(folder)), "timed": timed(Path(folder)), "sizes": sizes(Path(folder))}
    tables |= {kind: counted_sound(Path(folder), kind) for kind in SOUND}
    tables = {mark: text for mark, text in tables.items() if text}
    print("\n\n".join(tables.values()))
    if page:
        text = Path(page).read_text()
        for mark, made in tables.items():
            text = splice(text, mark, made)
        Path(page).write_text(text)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
