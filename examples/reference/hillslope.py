#!/usr/bin/env python3
"""Independent reference for the program `hillslope`: the same scheme in plain CPython, one cell after the other.

    python3 hillslope.py INPUT.asc OUTPUT.asc [--steps 200] [--rate 0.2]

It shares nothing with the Rust program but the definition of the problem, so two equal outputs (by SHA-256, or `cmp`)
say something. For every cell that is neither on the border nor NODATA

    z' = z + rate * (((north + south) + (west + east)) - 4*z)

in this order of operations. A NODATA neighbour counts as z itself; which cells are NODATA is settled by the input.

The output has the header in its usual order and each value in the shortest decimal form that reads back to the same
double, written without an exponent and without a trailing `.0`. A step of 403 x 344 cells takes some 50 ms.
"""

import argparse
from decimal import Context, Decimal

# No double has more digits.
EXACTLY = Context(prec=800)

ORDER = ["ncols", "nrows", "xll", "yll", "cellsize", "nodata_value"]


def read_grid(path):
    """Header (lower-case key -> text of the value) and rows of floats."""
    header, rows = {}, []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            words = line.split()
            if not words:
                continue
            if words[0][0].isalpha():
                key, value = words
                header[key.lower()] = value
            else:
                rows.append([float(word) for word in words])
    ncols, nrows = int(header["ncols"]), int(header["nrows"])
    if len(rows) != nrows or any(len(row) != ncols for row in rows):
        raise SystemExit(f"{path}: not {nrows} rows of {ncols} values")
    return header, rows


def diffuse(rows, nodata, rate, steps):
    """The rows after `steps` steps."""
    nrows, ncols = len(rows), len(rows[0])
    missing = [[nodata is not None and z == nodata for z in row] for row in rows]
    for _ in range(steps):
        after = [list(row) for row in rows]
        for i in range(1, nrows - 1):
            for j in range(1, ncols - 1):
                if missing[i][j]:
                    continue
                z = rows[i][j]
                north = z if missing[i - 1][j] else rows[i - 1][j]
                south = z if missing[i + 1][j] else rows[i + 1][j]
                west = z if missing[i][j - 1] else rows[i][j - 1]
                east = z if missing[i][j + 1] else rows[i][j + 1]
                after[i][j] = z + rate * (((north + south) + (west + east)) - 4 * z)
        rows = after
    return rows


def shortest(number):
    """The shortest decimal form, such as `0.0000001` where `repr` has `1e-07`, and `3` where it has `3.0`.

    Where two shortest forms are equally near, `repr` takes the even one, the Rust program the larger one.
    """
    form, exact = Decimal(repr(number)).normalize(EXACTLY), Decimal(number)
    if number and digits(exact.normalize(EXACTLY)) == digits(form) + 1:
        # As far from the number as `form`, on the other side of it.
        other = EXACTLY.subtract(EXACTLY.add(exact, exact), form).normalize(EXACTLY)
        if digits(other) == digits(form) and abs(other) > abs(form) and float(other) == number:
            form = other
    return format(form, "f")


def digits(decimal):
    """The number of digits that are written, of a normalised decimal."""
    return len(decimal.as_tuple().digits)


def write_grid(path, header, rows, nodata):
    """Header and rows; cells equal to the NODATA value are written as it is."""

    def place(key):
        return ORDER.index(key[:3] if key.startswith(("xll", "yll")) else key)

    with open(path, "w", encoding="utf-8", newline="\n") as out:
        for key in sorted(header, key=place):
            if key in ("ncols", "nrows"):
                value = str(int(header[key]))
            else:
                value = shortest(float(header[key]))
            spelled = "NODATA_value" if key == "nodata_value" else key
            out.write(f"{spelled} {value}\n")
        for row in rows:
            out.write(" ".join(shortest(nodata if z == nodata else z) for z in row))
            out.write("\n")


def main():
    parser = argparse.ArgumentParser(description="Reference for the program hillslope.")
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rate", type=float, default=0.2)
    options = parser.parse_args()

    header, rows = read_grid(options.input)
    nodata = float(header["nodata_value"]) if "nodata_value" in header else None
    rows = diffuse(rows, nodata, options.rate, options.steps)
    write_grid(options.output, header, rows, nodata)


if __name__ == "__main__":
    main()
