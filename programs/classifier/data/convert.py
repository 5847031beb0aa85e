#!/usr/bin/env python3
"""Makes training.csv, held-out.csv and held-out-labels.csv from scikit-learn's copy of the Wisconsin table.

    python3 convert.py                      fetches the wheel with pip into a temporary folder
    python3 convert.py scikit_learn-*.whl   uses a wheel that is already here
    python3 convert.py --check [WHEEL]      writes nothing; exits 1 when the files differ

A third of each class is held out: the rows whose SHA-256, with SEED before it, sorts first. No random number
generator takes part, so every Python gives the same split.
"""

import hashlib
import io
import pathlib
import subprocess
import sys
import tempfile
import zipfile

WHEEL = "scikit-learn==1.9.1"
MEMBER = "sklearn/datasets/data/breast_cancer.csv"
MEMBER_SHA256 = "fed3eb72d0575ef6192293f5093c6e801b1476b577d0386bf4455504522172ed"
SEED = "phala/wdbc/1"
CLASSES = ["malignant", "benign"]
MEASURES = [
    "radius", "texture", "perimeter", "area", "smoothness",
    "compactness", "concavity", "concave_points", "symmetry", "fractal_dimension",
]
COLUMNS = [f"{measure}_{kind}" for kind in ["mean", "error", "worst"] for measure in MEASURES]


def table(wheel: pathlib.Path) -> list[list[str]]:
    """The rows of the table as text, exactly as the wheel has them; the class is the last field."""
    data = zipfile.ZipFile(wheel).read(MEMBER)
    found = hashlib.sha256(data).hexdigest()
    if found != MEMBER_SHA256:
        raise SystemExit(f"{MEMBER} has SHA-256 {found}, not {MEMBER_SHA256}: another release changed it")
    head, *rows = [line.split(",") for line in data.decode("ascii").split()]
    assert head == [str(len(rows)), str(len(COLUMNS)), *CLASSES], head
    assert all(len(row) == len(COLUMNS) + 1 for row in rows)
    return rows


def split(rows: list[list[str]]) -> tuple[list[list[str]], list[list[str]]]:
    """(training, held out), each in the order of the table."""
    held = set()
    for label in range(len(CLASSES)):
        ours = [n for n, row in enumerate(rows) if row[-1] == str(label)]
        digest = {n: hashlib.sha256(f"{SEED}\n{','.join(rows[n])}".encode()).digest() for n in ours}
        held.update(sorted(ours, key=digest.get)[: round(len(ours) / 3)])
    return (
        [row for n, row in enumerate(rows) if n not in held],
        [row for n, row in enumerate(rows) if n in held],
    )


def files(rows: list[list[str]]) -> dict[str, str]:
    """The text of each file by its name."""
    training, held = split(rows)

    def text(header: list[str], lines: list[list[str]]) -> str:
        return "".join(",".join(line) + "\n" for line in [header, *lines])

    def name(row: list[str]) -> str:
        return CLASSES[int(row[-1])]

    return {
        "training.csv": text([*COLUMNS, "diagnosis"], [[*row[:-1], name(row)] for row in training]),
        "held-out.csv": text(COLUMNS, [row[:-1] for row in held]),
        "held-out-labels.csv": text(["diagnosis"], [[name(row)] for row in held]),
    }


def main(arguments: list[str]) -> None:
    check = "--check" in arguments
    wheels = [argument for argument in arguments if argument != "--check"]
    with tempfile.TemporaryDirectory() as folder:
        if not wheels:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, WHEEL]
            subprocess.run(pip, check=True)
            wheels = [str(path) for path in pathlib.Path(folder).glob("*.whl")]
        made = files(table(pathlib.Path(wheels[0])))
    here = pathlib.Path(__file__).parent
    for name, text in made.items():
        path = here / name
        if check:
            if not path.exists() or path.read_text("ascii") != text:
                raise SystemExit(f"{name} is not what {WHEEL} gives")
        else:
            with io.open(path, "w", encoding="ascii", newline="\n") as out:
                out.write(text)
        print(f"{name}: {text.count(chr(10)) - 1} rows")


if __name__ == "__main__":
    main(sys.argv[1:])
