#!/usr/bin/env bash
# Checks who includes whom. The house has floors, and a lower one never includes a higher one:
#   inside rpc-core/src   base < buffer < wire < runtime < transport < client, server
#   between the parts     rpc-core < rpc-loadbalance, rpc-registry < rpc-kv-service < examples, tools
# A part reaches another one only through its public headers (include/), and public headers include
# only public headers. Tests and benchmarks may look at everything.
set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: scripts/check-layers.sh [TREE]
Names every #include in TREE (default: this one) that breaks the order of the floors, and exits 1
if there are any.
USAGE
}

case ${1:-} in
  --help | -h) usage && exit 0 ;;
  -*) echo "check-layers.sh: unknown option '$1'; see scripts/check-layers.sh --help" >&2 && exit 2 ;;
esac
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/..}"

mapfile -t parts < <(ls -d rpc-core rpc-loadbalance rpc-registry rpc-kv-service examples tools 2>/dev/null)
if ((${#parts[@]} == 0)); then
  echo "check-layers.sh: $PWD holds none of weir's folders" >&2
  exit 2
fi

# One line per source file ("F path"), then one per #include ("I path line header").
{
  find "${parts[@]}" -name '*.h' -o -name '*.cc' | sed 's/^/F /'
  find "${parts[@]}" \( -name '*.h' -o -name '*.cc' \) -exec \
    grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]' {} + |
    sed -E 's/^([^:]*):([0-9]+):[^"<]*["<]([^">]*)[">].*/I \1 \2 \3/'
} | awk '
  BEGIN {
    floor["base"] = 1; floor["buffer"] = 2; floor["wire"] = 3; floor["runtime"] = 4
    floor["transport"] = 5; floor["client"] = 6; floor["server"] = 6
    rank["rpc-core"] = 1; rank["rpc-loadbalance"] = 2; rank["rpc-registry"] = 2
    rank["rpc-kv-service"] = 3; rank["examples"] = 4; rank["tools"] = 4
  }
  function part_of(path) { return substr(path, 1, index(path, "/") - 1) }
  function is_public(path) { return path ~ /^[^\/]+\/include\// }
  # The floor of a file under rpc-core/src, "" elsewhere.
  function floor_of(path, pieces) {
    if (path !~ /^rpc-core\/src\//) return ""
    split(path, pieces, "/")
    return pieces[3]
  }
  function complain(text) {
    printf "%s:%s: includes \"%s\": %s\n", file, line, header, text
    bad++
  }
  # The file of this tree that `header`, named in `file`, stands for; "" if it is none of them.
  function resolve(file, header, path) {
    path = file; sub(/[^\/]*$/, "", path)
    if ((path header) in known) return path header
    path = part_of(file)
    if ((path "/src/" header) in known) return path "/src/" header
    if ((path "/" header) in known) return path "/" header
    if (header in public_of) return public_of[header]
    return (header in private_of) ? private_of[header] : ""
  }
  $1 == "F" {
    known[$2] = 1
    name = $2
    if (sub(/^[^\/]+\/include\//, "", name)) public_of[name] = $2
    else if (sub(/^[^\/]+\/(src\/)?/, "", name)) private_of[name] = $2
    next
  }
  {
    file = $2; line = $3; header = $4
    from = part_of(file)
    if (from == "rpc-core" && header ~ /^zookeeper\//) {
      complain("the core knows no ZooKeeper; that belongs to rpc-registry"); next
    }
    target = resolve(file, header)
    if (target == "") next  # of the system, of another project, or generated
    to = part_of(target)
    if (is_public(file) && !is_public(target)) {
      complain("a public header includes only public headers, and this is " target); next
    }
    if (from != to) {
      if (rank[from] <= rank[to]) complain(from " stands below or beside " to)
      else if (!is_public(target)) complain("not a public header of " to " (" target ")")
      next
    }
    mine = floor_of(file); theirs = floor_of(target)
    if (mine == "" || theirs == "" || mine == theirs) next
    if (!(mine in floor)) complain("rpc-core/src/" mine " is no floor of the house")
    else if (!(theirs in floor)) complain("rpc-core/src/" theirs " is no floor of the house")
    else if (floor[theirs] >= floor[mine]) complain("the floor " mine " stands below or beside " theirs)
  }
  END { exit bad > 0 }
' >&2 || {
  echo "check-layers.sh: a lower floor must not include a higher one; move the code or turn the call around" >&2
  exit 1
}
