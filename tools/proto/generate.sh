#!/bin/sh
# Makes api/pb/*.pb.go from its .proto. The plugins are pinned in tools.mod; the
# compiler is protoc (Debian: protobuf-compiler).
set -eu
cd "$(dirname "$0")/../.."
command -v protoc >/dev/null || { echo "protoc is missing; install it (Debian: apt-get install protobuf-compiler)" >&2; exit 1; }
plugins=$(mktemp -d)
trap 'rm -rf "$plugins"' EXIT
for p in google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc; do
  go build -modfile=tools.mod -o "$plugins/" "$p"
done
PATH="$plugins:$PATH" protoc --go_out=. --go_opt=module=purser --go-grpc_out=. --go-grpc_opt=module=purser api/pb/*.proto
