# SPDX-License-Identifier: MIT
"""The append-only lists of protocol/: numbers of records and of handle types, the same for ever."""


def read_numbers(path):
    """'number name' per line. Returns {name: number}."""
    table = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        number, name = line.split()
        if int(number) in table.values() or name in table:
            raise SystemExit(f"{path.name}: {line}: given twice")
        if table and int(number) <= max(table.values()):
            raise SystemExit(f"{path.name}: {line}: numbers only grow")
        table[name] = int(number)
    return table


def assign(path, names):
    """Appends names that have no number yet."""
    table = read_numbers(path)
    following = max(table.values(), default=0) + 1
    with path.open("a", encoding="utf-8") as f:
        for name in names:
            if name not in table:
                f.write(f"{following} {name}\n")
                following += 1
