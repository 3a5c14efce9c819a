#!/bin/sh
# A step of every_step.yml: what was captured so far is in the environment.
set -eu
test -n "$CONTEXT_ID"
printf 'context %s, told %s\n' "$CONTEXT_ID" "$1"
