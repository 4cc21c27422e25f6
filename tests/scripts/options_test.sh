#!/usr/bin/env bash
# options_test.sh SCRIPTS: every script refuses an unknown option with one line and exit code 2, and
# explains itself with --help.
set -euo pipefail
failures=0
for script in "$1"/*.sh; do
  code=0
  output=$("$script" --no-such-option 2>&1 </dev/null) || code=$?
  if ((code != 2)) || [[ $output == *$'\n'* || $output != *--no-such-option* ]]; then
    echo "FAILED: $script --no-such-option: exit code $code, output: $output"
    failures=$((failures + 1))
  fi
  if ! "$script" --help </dev/null | grep -q '^Usage: '; then
    echo "FAILED: $script --help prints no usage"
    failures=$((failures + 1))
  fi
done
exit $((failures > 0))
