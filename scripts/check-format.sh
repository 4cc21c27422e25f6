#!/usr/bin/env bash
# Checks that every tracked C++ and .proto file is formatted as .clang-format says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'USAGE'
Usage: scripts/check-format.sh [--fix]
Names the files that clang-format 14 would change and exits 1 if there are any.
  --fix    format them instead
  --help   print this
USAGE
}

fix=0
while (($#)); do
  case $1 in
    --fix) fix=1 ;;
    --help | -h) usage && exit 0 ;;
    *) echo "check-format.sh: unknown option '$1'; see scripts/check-format.sh --help" >&2 && exit 2 ;;
  esac
  shift
done

if ! command -v clang-format-14 >/dev/null; then
  echo "check-format.sh: clang-format-14 is not installed; run scripts/bootstrap.sh" >&2
  exit 1
fi
if ! tracked=$(git ls-files -- '*.cc' '*.h' '*.proto'); then
  echo "check-format.sh: this tree is not a git clone, so there are no tracked files to check" >&2
  exit 1
fi
mapfile -t files < <(while IFS= read -r file; do [[ -f $file ]] && echo "$file"; done <<<"$tracked")
((${#files[@]})) || exit 0

if ((fix)); then
  clang-format-14 -i "${files[@]}"
  exit 0
fi
complaints=$(printf '%s\0' "${files[@]}" |
  xargs -0 -n 16 -P "$(nproc)" clang-format-14 --dry-run 2>&1 || true)
mapfile -t offenders < <(
  sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: \(warning\|error\): .*/\1/p' <<<"$complaints" | sort -u)
if ((${#offenders[@]})); then
  echo "check-format.sh: not formatted as .clang-format says:" >&2
  printf '  %s\n' "${offenders[@]}" >&2
  echo "To format them: scripts/check-format.sh --fix" >&2
  exit 1
elif [[ -n $complaints ]]; then
  echo "$complaints" >&2
  echo "check-format.sh: clang-format-14 failed; its message stands above" >&2
  exit 1
fi
echo "${#files[@]} files are formatted"
