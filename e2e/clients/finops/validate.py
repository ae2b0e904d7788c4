"""Runs the FinOps Foundation's validator on files and prints what it found, a line of
JSON for each: the file, how many rules passed, which failed, how many it does not check.

Only the rules that the package brings are used: nothing is fetched.
"""

import json
import logging
import os
import sys
import sysconfig

# What of the specification's conditions holds for the files: providers have several
# accounts, contracts, price lists, regions; there are sub accounts and tags. There are no
# availability zones, capacity reservations, commitments, provisioned resources, other
# currencies.
APPLIES = ",".join(
    f"{name}_SUPPORTED"
    for name in (
        "ACCOUNT_NAMING", "MULTIPLE_BILLING_ACCOUNT_TYPES", "MULTIPLE_PRICING_CATEGORIES", "MULTIPLE_SUB_ACCOUNT_TYPES",
        "NEGOTIATED_PRICING", "PUBLIC_PRICE_LIST", "REGION", "SUB_ACCOUNT", "TAGGING", "UNIT_PRICING", "USAGE_MEASUREMENT",
    )
)


def main() -> None:
    version, files = sys.argv[1], [os.path.abspath(f) for f in sys.argv[2:]]
    logging.disable(logging.CRITICAL)
    os.chdir(sysconfig.get_path("purelib"))  # it looks for its currencies from there
    sys.path.insert(0, os.getcwd())
    from focus_validator.validator import Validator

    for name in files:
        validator = Validator(
            data_filename=name, output_destination=None, output_type="console", focus_dataset="CostAndUsage", rules_version=version,
            rules_block_remote_download=True, applicability_criteria=APPLIES,
        )
        out, sys.stdout = sys.stdout, sys.stderr
        try:
            results = validator.validate()
        finally:
            sys.stdout = out
        found = {"file": name, "rows": results.data_row_count, "model": results.model_version, "passed": 0, "skipped": 0, "failed": []}
        for rule, result in results.by_rule_id.items():
            if result.get("details", {}).get("skipped") or result.get("skipped"):
                found["skipped"] += 1
            elif result.get("ok"):
                found["passed"] += 1
            else:
                found["failed"].append(rule)
        found["failed"].sort()
        print(json.dumps(found), flush=True)


main()
