#!/usr/bin/env bash
# Builds weir and runs its tests; on a bare Debian 12 it first installs what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'USAGE'
Usage: scripts/test.sh [--preset NAME] [--label LABEL] [--no-bootstrap] [-- CTEST-ARGUMENT...]
Installs missing packages, builds a preset and runs its tests (all but those labelled slow).
  --preset NAME    release (default), debug, asan, tsan or clang
  --label LABEL    only tests with this label: unit, e2e, registry, fault, engine, fuzz
  --no-bootstrap   do not look for missing packages
  --help           print this
Example: scripts/test.sh --preset asan --label unit -- -R Status
USAGE
}

usage_error() {
  echo "test.sh: $*; see scripts/test.sh --help" >&2
  exit 2
}

preset=release
label=
bootstrap=1
ctest_arguments=()
while (($#)); do
  case $1 in
    --preset | --label)
      [[ -n ${2:-} ]] || usage_error "$1 needs a value"
      if [[ $1 == --preset ]]; then preset=$2; else label=$2; fi
      shift
      ;;
    --no-bootstrap) bootstrap=0 ;;
    --help | -h) usage && exit 0 ;;
    --) shift && ctest_arguments=("$@") && break ;;
    *) usage_error "unknown option '$1'" ;;
  esac
  shift
done
case $preset in
  release | debug | asan | tsan | clang) ;;
  *) usage_error "unknown preset '$preset' (release, debug, asan, tsan, clang)" ;;
esac
if [[ -n $label ]]; then
  ctest_arguments=(--label-regex "^$label\$" "${ctest_arguments[@]}")
fi

if ((bootstrap)); then scripts/bootstrap.sh; fi
jobs=$(nproc)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! cmake --preset "$preset" >"$log" 2>&1; then
  cat "$log" >&2
  echo "test.sh: configuring the preset '$preset' failed; the log stands above" >&2
  exit 1
fi
cmake --build --preset "$preset" -j "$jobs"
ctest --preset "$preset" -j "$jobs" "${ctest_arguments[@]}"
