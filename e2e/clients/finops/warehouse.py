"""Runs a file of SQL in DuckDB and prints what each named query answers, as JSON: numbers
as text, so that none is rounded. With a dialect instead of a directory, it only reads the
file as SQL of that dialect.

    warehouse.py run DIRECTORY FILE     # paths in the file are below the directory
    warehouse.py read DIALECT FILE
"""

import json
import os
import re
import sys


def statements(text: str):
    """The statements, each with the name that a comment before it gives: -- name: x"""
    for part in text.split(";"):
        name = re.search(r"^-- name: (\S+)$", part, re.M)
        body = re.sub(r"^\s*--.*$", "", part, flags=re.M).strip()
        if body:
            yield name and name.group(1), body


def run(directory: str, text: str) -> None:
    import duckdb

    os.chdir(directory)
    db, answers = duckdb.connect(), {}
    for name, body in statements(text):
        result = db.execute(body)
        if name:
            names = [d[0] for d in result.description]
            answers[name] = [{n: None if v is None else str(v) for n, v in zip(names, row)} for row in result.fetchall()]
    print(json.dumps(answers))


def read(dialect: str, text: str) -> None:
    import sqlglot

    names = []
    for name, body in statements(text):
        sqlglot.parse_one(body, dialect=dialect, error_level=sqlglot.ErrorLevel.RAISE)
        if name:
            names.append(name)
    print(json.dumps({name: [] for name in names}))


with open(sys.argv[3], encoding="utf-8") as f:
    {"run": run, "read": read}[sys.argv[1]](sys.argv[2], f.read())
