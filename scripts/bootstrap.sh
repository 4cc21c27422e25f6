#!/usr/bin/env bash
# Installs what weir needs to be built and tested, from the distribution's packages (Debian 12 and
# its relatives). Does nothing, at once, when everything is there.
set -euo pipefail

readonly kPackages=(
  cmake ninja-build g++ ccache mold pkg-config clang-format-14
  libasio-dev protobuf-compiler libprotobuf-dev libprotoc-dev libzookeeper-mt-dev libxxhash-dev
  libspdlog-dev libcli11-dev libisal-dev nlohmann-json3-dev
  liburing-dev
  libgtest-dev libgmock-dev libbenchmark-dev
  libzookeeper-java openjdk-17-jre-headless
)
# What bench-rpc and bench-engine measure weir against. Without them they are built all the same and
# say what is absent.
readonly kBenchmarkPackages=(
  libgrpc++-dev protobuf-compiler-grpc
  libthrift-dev thrift-compiler libboost-dev libevent-dev
  libleveldb-dev librocksdb-dev liblmdb-dev
)
readonly kLibraries="CMake >= 3.25, Ninja, GCC >= 12 or Clang >= 14, pkg-config; Asio >= 1.22 \
(standalone), Protobuf 3.21 with protoc and libprotoc, ZooKeeper C client (multi-threaded), xxHash, \
spdlog, CLI11, nlohmann-json, ISA-L; for tests GoogleTest, GoogleMock, Google Benchmark, a JRE 17 and \
ZooKeeper's jar; if you like liburing >= 2.3, ccache, mold, clang-format 14"

usage() {
  cat <<'USAGE'
Usage: scripts/bootstrap.sh [--benchmarks] [--check | --list]
Installs the Debian packages that weir needs to be built and tested and that are not there yet,
with sudo when not root.
  --benchmarks  also what the benchmarks measure weir against: gRPC and Thrift; LevelDB, RocksDB, LMDB
  --check       install nothing; name what is missing and exit 1 if anything is
  --list        print all packages weir needs, one a line
  --help        print this
USAGE
}

fail() {
  echo "bootstrap.sh: $*" >&2
  exit 1
}

# Prints the packages that are not installed, one a line.
missing_packages() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null ||
    true)
  local package
  for package in "${packages[@]}"; do
    grep -qxF "installed $package" <<<"$installed" || echo "$package"
  done
}

mode=install
more=  # options that the user has to repeat
packages=("${kPackages[@]}")
while (($#)); do
  case $1 in
    --benchmarks) packages+=("${kBenchmarkPackages[@]}") && more=" --benchmarks" ;;
    --check) mode=check ;;
    --list) mode=list ;;
    --help | -h) usage && exit 0 ;;
    *) echo "bootstrap.sh: unknown option '$1'; see scripts/bootstrap.sh --help" >&2 && exit 2 ;;
  esac
  shift
done

if [[ $mode == list ]]; then
  printf '%s\n' "${packages[@]}"
  exit 0
fi
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  fail "this is not a Debian-like system, so packages cannot be installed for you. Install: $kLibraries." \
    "Then give --no-bootstrap to scripts/test.sh."
fi

mapfile -t missing < <(missing_packages)
((${#missing[@]})) || exit 0
if [[ $mode == check ]]; then
  fail "missing: ${missing[*]}; run scripts/bootstrap.sh$more to install them"
fi

as_root=()
if ((EUID != 0)); then
  if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 && -t 2 ]]; }; then
    as_root=(sudo)
  else
    fail "packages are missing and neither root nor sudo is at hand. Run as root:" \
      "apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
  fi
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
    apt-get -y -o DPkg::Lock::Timeout=300 "$@" </dev/null >>"$log" 2>&1
}
fail_with_log() {
  cat "$log" >&2
  fail "$*; the log of apt-get stands above"
}
install_missing() {
  apt install --no-install-recommends "${missing[@]}"
}

echo "bootstrap.sh: installing ${missing[*]}"
# Lists that know none of the packages, or that have grown stale, are renewed; good ones are used.
if ! apt-cache show --no-all-versions -- "${missing[@]}" >/dev/null 2>&1 || ! install_missing; then
  apt update || fail_with_log "apt-get update failed: is the network or the mirror down?"
  install_missing || fail_with_log "could not install ${missing[*]}"
fi

mapfile -t missing < <(missing_packages)
((${#missing[@]} == 0)) || fail_with_log "still missing after the installation: ${missing[*]}"
