#!/usr/bin/env bash
# Fails if generating changes a file, or if go.mod is not tidy. On a clean clone
# that means: what is committed is what would be generated.
set -euo pipefail
cd "$(dirname "$0")/.."

state() {
	git status --porcelain --untracked-files=all
	git diff HEAD
	git ls-files --others --exclude-standard -z | sort -z | xargs -0 -r sha256sum
}

before=$(state)
make --no-print-directory generate
if after=$(state); [[ "$before" != "$after" ]]; then
	diff <(echo "$before") <(echo "$after") | head -100 || true
	echo "verify: generated files were not up to date; they are now: commit them" >&2
	exit 1
fi
if ! go mod tidy -diff; then
	echo "verify: go.mod is not tidy: run \`go mod tidy\`" >&2
	exit 1
fi
