#!/bin/sh
# Prints how much larger a program is with the semantic cache's embedder and index in it: two
# builds of one program, which differ in using them.
set -eu
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
GO=${GO:-go}
for kind in with without; do
	CGO_ENABLED=0 $GO build -trimpath -o "$dir/$kind" "./bench/semcache/growth/$kind"
done
with=$(wc -c <"$dir/with")
without=$(wc -c <"$dir/without")
echo "binary: $without bytes without embedder and index, $with with them: $((with - without)) more"
