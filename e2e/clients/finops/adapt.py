"""Lets focus-validator 2.2.1 run on Python 3.11: it asks for 3.12 because of one f-string
with a backslash in it, which is written here as the same expression without. On 3.12 and
newer nothing is changed.
"""

import pathlib
import sys
import sysconfig

OLD = """+ ", ".join(f"'{k.replace('\\"', '\\"\\"')}'" for k in ignore_keys)"""
NEW = """+ ", ".join("'" + k.replace('"', '""') + "'" for k in ignore_keys)"""

if sys.version_info < (3, 12):
    path = pathlib.Path(sysconfig.get_path("purelib"), "focus_validator", "config_objects", "focus_to_duckdb_converter.py")
    source = path.read_text(encoding="utf-8")
    if NEW not in source:
        if source.count(OLD) != 1:
            sys.exit(f"{path} is not the one that this was written for")
        path.write_text(source.replace(OLD, NEW), encoding="utf-8")
