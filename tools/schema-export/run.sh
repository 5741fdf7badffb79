#!/bin/sh
# Regenerates the schema data of the model crate from the published API modules.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out="$here/../../crates/model/src/schema"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
(cd "$here/legacy" && go run . "$scratch/legacy.json")
(cd "$here/current" && go run . "$scratch/legacy.json" "$out")
