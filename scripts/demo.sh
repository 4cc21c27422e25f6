#!/usr/bin/env bash
# The main job, shown on real input: a store on three providers, balanced calls, a provider that is
# killed and comes back. Builds first. Exits non-zero if anything was not as it must be.
set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: scripts/demo.sh [--zookeeper] [--input FILE] [--no-bootstrap | --programs DIR]
Builds weir and runs its store on three providers: loads the machine's package database, reads it
back and compares, shows how each strategy spreads calls, kills a provider under load and restarts it.
  --zookeeper     register in a private ZooKeeper instead of a directory
  --input FILE    load this dpkg status file instead of /var/lib/dpkg/status
  --no-bootstrap  install nothing
  --programs DIR  install and build nothing; run the programs in DIR (build/asan/bin, say)
  --help          print this
USAGE
}

fail() {
  echo "demo.sh: $*" >&2
  exit 1
}

zookeeper=false
bootstrap=true
programs=
input=/var/lib/dpkg/status
while (($# > 0)); do
  case $1 in
    --zookeeper) zookeeper=true ;;
    --no-bootstrap) bootstrap=false ;;
    --input | --programs)
      (($# > 1)) || { echo "demo.sh: $1 needs a value; see --help" >&2; exit 2; }
      if [[ $1 == --input ]]; then input=$2; else programs=$2; fi
      shift
      ;;
    --help | -h) usage; exit 0 ;;
    *) echo "demo.sh: unknown option '$1'; see --help" >&2; exit 2 ;;
  esac
  shift
done
[[ -z $programs || -x $programs/weir-kv ]] || fail "there is no weir-kv in $programs; build it first"
[[ -r $input ]] || fail "cannot read $input; name another dpkg status file with --input"

input=$(realpath "$input")
if [[ -n $programs ]]; then programs=$(realpath "$programs"); fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
step() { printf '\n== %s\n' "$*"; }

if [[ -z $programs ]]; then
  step "Building (build/release)"
  if $bootstrap; then scripts/bootstrap.sh; fi
  configured=$(cmake --preset release 2>&1) || { echo "$configured" >&2; exit 1; }
  targets=(weir weir-kv weir-kv-server store-tour)
  if $zookeeper; then targets+=(private-zookeeper); fi
  cmake --build --preset release --target "${targets[@]}"
  programs=$PWD/build/release/bin
fi
readonly bin=$programs

work=$(mktemp -d "${TMPDIR:-/tmp}/weir-demo.XXXXXX")
declare -A pids=()
cleanup() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# Waits until `file` has a line that matches, at most 30 s.
wait_for_line() {  # file pattern what
  local i
  for ((i = 0; i < 600; ++i)); do
    grep -qE "$2" "$1" 2>/dev/null && return 0
    sleep 0.05
  done
  cat "$1" >&2 || true
  fail "$3 did not get ready within 30 s"
}

# A private ZooKeeper that ends with this script, however that ends: it reads from the script.
start_zookeeper() {
  [[ -x $bin/private-zookeeper ]] || fail "there is no private-zookeeper in $bin; build it first"
  coproc ZOOKEEPER { exec "$bin/private-zookeeper" 2>"$work/zookeeper.log"; }
  pids[zookeeper]=$ZOOKEEPER_PID
  read -r -t 60 registry <&"${ZOOKEEPER[0]}" ||
    fail "ZooKeeper did not get ready: $(<"$work/zookeeper.log")"
}

start_provider() {  # name weight listen
  local log=$work/$1.log
  : >"$log"
  "$bin/weir-kv-server" --data "$work/$1" --listen "$3" --registry "$registry" --cluster demo \
    --weight "$2" --sync always >"$log" 2>&1 &
  pids[$1]=$!
  wait_for_line "$log" '^weir-kv-server: serving on ' "provider $1"
  address=$(sed -nE 's/^weir-kv-server: serving on ([^,]+),.*/\1/p' "$log" | head -n 1)
  echo "  provider $1: $address, weight $2"
}

kv() { "$bin/weir-kv" --registry "$registry" --cluster demo "$@"; }

if $zookeeper; then
  step "Starting a private ZooKeeper"
  start_zookeeper
else
  registry="file://$work/registry"
fi
echo "  registry: $registry"

step "Starting three providers with weights 1, 2, 3"
declare -A addresses=()
for weight in 1 2 3; do
  start_provider "p$weight" "$weight" 127.0.0.1:0
  addresses[p$weight]=$address
done
kv cluster init "${addresses[p1]}*1" "${addresses[p2]}*2" "${addresses[p3]}*3"
"$bin/weir" list "$registry"

step "Loading $input: one key per package, its stanza as the value"
kv load --dpkg "$input"

step "Reading all of it back and comparing byte for byte"
kv verify --dpkg "$input"

step "How each strategy spreads 10,000 calls over weights 1, 2, 3"
"$bin/store-tour" spread --registry "$registry" --calls 10000

step "Killing ${addresses[p2]} with kill -9 under load, and starting it again"
"$bin/store-tour" failover --registry "$registry" --cluster demo --dead "${addresses[p2]}" \
  > >(tee "$work/tour.log") 2>&1 &
pids[tour]=$!
wait_for_line "$work/tour.log" '^watching' "store-tour"
sleep 1.2
kill -9 "${pids[p2]}"
wait "${pids[p2]}" 2>/dev/null || true
unset 'pids[p2]'
echo "  -- killed"
sleep 2.2
start_provider p2 2 "${addresses[p2]}"
sleep 1.5
kill -INT "${pids[tour]}"
tour=0
wait "${pids[tour]}" || tour=$?
unset 'pids[tour]'
((tour == 0)) || fail "consumers saw what they must not see"

step "Reading all of it back again: every key is there, byte for byte"
kv verify --dpkg "$input"

step "Stopping the providers"
for name in p1 p2 p3; do
  kill -TERM "${pids[$name]}"
  wait "${pids[$name]}" || fail "provider $name did not end cleanly: $(tail -n 1 "$work/$name.log")"
  unset "pids[$name]"
done
step "Done: nothing lost, no balanced call failed, the dead provider's keys said so"
