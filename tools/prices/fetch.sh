#!/bin/sh
# Makes proxy/price/catalogue.json again from the pinned version of its source.
# To refresh the prices: raise VERSION, run `make prices`, review what the
# generator prints and the diff, and mend tools/prices/overlay.yaml if it fails.
set -eu
VERSION=0.1.8
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
npm pack --silent --pack-destination "$dir" "@pydantic/genai-prices@$VERSION" >/dev/null
go run ./tools/prices -in "$dir/pydantic-genai-prices-$VERSION.tgz" \
	-overlay tools/prices/overlay.yaml -out proxy/price/catalogue.json
