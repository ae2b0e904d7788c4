"""Runs one client: `python driver.py NAME` reads tasks as lines of JSON
({"scenario","knobs","picture"}), sets the knobs as environment variables, runs
the scenario that the module NAME has in SCENARIOS, and prints a line:
{"outcome":"pass"|"absent"|"fail","why":...}.
"""

import importlib
import json
import os
import sys


def run(client, task):
    os.environ.update(task["knobs"])
    work = client.SCENARIOS[task["scenario"]]
    if isinstance(work, str):
        return {"outcome": "absent", "why": work}
    try:
        work(task)
        return {"outcome": "pass"}
    except Exception as error:
        return {"outcome": "fail", "why": f"{type(error).__name__}: {error}"[:600]}


def main():
    client = importlib.import_module(sys.argv[1].replace("-", "_"))
    for line in sys.stdin:
        print(json.dumps(run(client, json.loads(line))), flush=True)


main()
