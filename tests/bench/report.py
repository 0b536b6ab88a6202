# SPDX-License-Identifier: MIT
"""What is made of the measurements: medians, ratios, a table, what is wanted, a chart.

A ratio is native time by time: 1 is native speed, 2 is twice as fast. Beside it stands the same of
processor time, in all processes together, which says more when the machine has other work.
"""

import html
import math
import statistics

# What has to hold, as (text, groups or cases, how they are summarised, least ratio).
TARGETS = [
    ("draws", ["draw", "record draw"], "mean", 0.9),
    ("the worst draw", ["draw", "record draw"], "least", 0.6),
    ("descriptors", ["descriptor", "record descriptor"], "mean", 1.0),
    ("the worst descriptor case", ["descriptor", "record descriptor"], "least", 0.5),
    ("descriptors as bytes", ["descriptor bytes"], "least", 0.5),
    ("copies, blits, resolves", ["transfer", "record transfer"], "mean", 0.9),
    ("host image copies", ["host image"], "least", 0.5),
    ("submissions", ["submit"], "least", 1.0),
    ("submit + wait, p50", ["submit_wait"], "p50", 1 / 2),
    ("submit + wait, p99", ["submit_wait"], "p99", 1 / 3),
    ("record + submit + wait + read, p50", ["record_submit_wait_read"], "p50", 1 / 2),
    ("record + submit + wait + read, p99", ["record_submit_wait_read"], "p99", 1 / 3),
    ("query results", ["query_results"], "least", 1.0),
    ("allocate + map + touch + free", ["memory"], "least", 1 / 2.5),
    ("mapped bandwidth", ["bandwidth"], "least", 0.95),
    ("instance and device", ["instance_device"], "least", 1 / 0.7),
    ("frames of vkcube", ["vkcube"], "least", 0.95),
]


def geometric_mean(values):
    return math.exp(statistics.fmean(map(math.log, values))) if values else None


def median_of(results):
    """Of several results of one case, number by number; None if each one failed."""
    good = [result for result in results if "ns" in result]
    if not good:
        return results[0] if results else None
    merged = dict(good[0])
    for key, value in good[0].items():
        if isinstance(value, (int, float)) and key not in ("bytes", "operations"):
            merged[key] = statistics.median(result[key] for result in good)
    merged["all_cpu_ns"] = merged.get("cpu_ns", 0) + merged.get("server_ns", 0)
    times = [result["ns"] for result in good]
    merged["spread"] = (max(times) - min(times)) / merged["ns"] if merged["ns"] else 0
    return merged


class Report:
    def __init__(self, cases, names, measured):
        """`measured[case][name]` is a list of results, one for each round."""
        self.names = names
        self.others = [name for name in names if name != "native"]
        self.rows = []
        for name, group, unit in cases:
            merged = {kind: median_of(measured[name][kind]) for kind in names
                      if measured[name].get(kind)}
            # Workers that end while they are measured take their processor time with them.
            cpu_ratios = {} if group == "instance" else self.ratios(merged, "all_cpu_ns")
            self.rows.append({"name": name, "group": group, "unit": unit, **merged,
                              "ratios": self.ratios(merged, "ns"),
                              "cpu_ratios": cpu_ratios,
                              "p50_ratios": self.ratios(merged, "p50"),
                              "p99_ratios": self.ratios(merged, "p99")})

    def ratios(self, merged, key):
        native = (merged.get("native") or {}).get(key)
        return {kind: native / merged[kind][key] for kind in self.others
                if native and merged.get(kind) and merged[kind].get(key)}

    def groups(self):
        return list(dict.fromkeys(row["group"] for row in self.rows))

    def group_means(self, key="ratios"):
        means = {}
        for group in self.groups():
            rows = [row for row in self.rows if row["group"] == group]
            means[group] = {kind: geometric_mean([row[key][kind] for row in rows
                                                  if kind in row[key]])
                            for kind in self.others}
        return means

    def targets(self):
        """(text, ratio or None, least ratio) for Viaduct."""
        found = []
        for text, wanted, how, least in TARGETS:
            rows = [row for row in self.rows if row["name"] in wanted or row["group"] in wanted]
            key = {"p50": "p50_ratios", "p99": "p99_ratios"}.get(how, "ratios")
            values = [row[key]["viaduct"] for row in rows if "viaduct" in row[key]]
            if values:
                ratio = geometric_mean(values) if how == "mean" else min(values)
                found.append((text, ratio, least))
        return found

    def as_json(self):
        return {"cases": self.rows, "groups": self.group_means(),
                "targets": [{"what": text, "ratio": ratio, "least": least, "met": ratio >= least}
                            for text, ratio, least in self.targets()]}

    # ---- The table

    def table(self):
        lines = []
        heading = f"{'':30} {'native':>11}"
        for kind in self.others:
            heading += f" {kind:>11} {'ratio':>6} {'cpu':>6}"
        lines.append(heading + "   recording, p99, bandwidth: native"
                     + "".join(f" | {kind}" for kind in self.others))
        means, cpu_means = self.group_means(), self.group_means("cpu_ratios")
        for group in self.groups():
            lines.append("")
            for row in self.rows:
                if row["group"] == group:
                    lines.append(self.line(row))
            mean = f"  {group}: geometric mean"
            lines.append(f"{mean:42}" + "".join(
                f" {'':11} {ratio_cell(means[group][kind])} {ratio_cell(cpu_means[group][kind])}"
                for kind in self.others))
        return "\n".join(line.rstrip() for line in lines)

    def line(self, row):
        text = f"{row['name']:30} {cell(row.get('native')):>11}"
        for kind in self.others:
            text += (f" {cell(row.get(kind)):>11} {ratio_cell(row['ratios'].get(kind))}"
                     f" {ratio_cell(row['cpu_ratios'].get(kind))}")
        notes = []
        results = [row.get(kind) or {} for kind in self.names]
        for key, label in (("record_ns", "recording"), ("p99", "p99")):
            if all(result.get(key) for result in results):
                notes.append(f"{label} " + " | ".join(duration(result[key]) for result in results))
        if all(result.get("bytes") and result.get("ns") for result in results):
            notes.append(" | ".join(f"{result['bytes'] / result['ns']:.2f} GB/s"
                                    for result in results))
        for kind in self.names:
            reason = (row.get(kind) or {}).get("skipped") or (row.get(kind) or {}).get("failed")
            if reason:
                notes.append(f"{kind}: {reason}")
        return f"{text}   {', '.join(notes)}"

    def target_table(self):
        return "\n".join(
            f"  {'met' if ratio >= least else 'missed':8}{text:40} {ratio:5.2f}, wanted {least:.2f}"
            for text, ratio, least in self.targets())

    # ---- The chart

    def chart(self, title):
        """Bars on a logarithmic scale from 1, which is native speed."""
        rows = [row for row in self.rows if row["ratios"]]
        bar = 7 * len(self.others) + 7
        left, width, top = 230, 560, 86
        lowest, highest = 1 / 16, 8

        def x(ratio):
            ratio = min(max(ratio, lowest), highest)
            return left + width * math.log(ratio / lowest) / math.log(highest / lowest)

        body, y, group = [], top, None
        means = self.group_means()
        for row in rows:
            if row["group"] != group:
                group = row["group"]
                y += 10
                summary = ", ".join(f"{kind} {means[group][kind]:.2f}" for kind in self.others
                                    if means[group][kind])
                body.append(text_element(14, y + 11, f"{group}", "group"))
                body.append(text_element(left + width + 110, y + 11, summary, "mean", "end"))
                y += 20
            body.append(text_element(left - 8, y + bar / 2 + 3, row["name"], "case", "end"))
            for index, kind in enumerate(self.others):
                if kind not in row["ratios"]:
                    continue
                ratio = row["ratios"][kind]
                begin, end = sorted((x(1), x(ratio)))
                at = y + 3 + 7 * index
                shade = kind if ratio >= 1 else f"{kind} slower"
                body.append(f'<rect class="{shade}" x="{begin:.1f}" y="{at}" '
                            f'width="{max(end - begin, 0.8):.1f}" height="6"/>')
                if index == 0:
                    body.append(text_element(left + width + 8, y + bar / 2 + 3, f"{ratio:.2f}",
                                             "case"))
            y += bar

        grid = []
        for ratio, label in ((1 / 16, "1/16"), (1 / 8, "1/8"), (1 / 4, "1/4"), (1 / 2, "1/2"),
                             (1, "native"), (2, "2"), (4, "4"), (8, "8")):
            style = "one" if ratio == 1 else "grid"
            grid.append(f'<line class="{style}" x1="{x(ratio):.1f}" y1="{top}" '
                        f'x2="{x(ratio):.1f}" y2="{y}"/>')
            grid.append(text_element(x(ratio), top - 6, label, "case", "middle"))
        legend = []
        for index, kind in enumerate(self.others):
            at = left + 110 * index
            legend.append(f'<rect class="{kind}" x="{at}" y="46" width="22" height="8"/>')
            legend.append(text_element(at + 28, 54, kind, "case"))
        total = left + width + 124
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="{y + 20}" '
            f'viewBox="0 0 {total} {y + 20}">',
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{total}" height="{y + 20}"/>',
            text_element(14, 24, "Speed, native = 1", "title"),
            text_element(180, 24, title, "case"),
            *legend, *grid, *body, "</svg>", ""])


STYLE = """
text { font-family: sans-serif; font-size: 11px; fill: #333 }
.title { font-size: 16px; font-weight: bold } .group { font-weight: bold; font-size: 12px }
.mean { fill: #777 } .paper { fill: #fff }
.grid { stroke: #ddd } .one { stroke: #333 }
.viaduct { fill: #2a7ab0 } .viaduct.slower { fill: #8dbbd8 }
.venus { fill: #c0693a } .venus.slower { fill: #e0b499 }
"""


def text_element(x, y, text, style, anchor="start"):
    return (f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f"{html.escape(text)}</text>")


def duration(ns):
    for limit, unit, scale in ((1e4, "ns", 1), (1e7, "us", 1e3), (math.inf, "ms", 1e6)):
        if ns < limit:
            return f"{ns / scale:.1f} {unit}"


def ratio_cell(ratio):
    return f"{ratio:6.2f}" if ratio else f"{'':6}"


def cell(result):
    if not result:
        return ""
    if "fps" in result:
        return f"{result['fps']:.0f} /s"
    return duration(result["ns"]) if "ns" in result else "failed" if "failed" in result else "-"
