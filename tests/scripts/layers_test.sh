#!/usr/bin/env bash
# layers_test.sh CHECK: breaks each rule of check-layers.sh in a small tree and sees it named.
set -euo pipefail
check=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

put() { # put FILE LINE...: writes a file of the tree
  mkdir -p "$tree/$(dirname "$1")"
  printf '%s\n' "${@:2}" >"$tree/$1"
}
sound_tree() {
  rm -rf "${tree:?}"/*
  put rpc-core/include/weir/status.h '#pragma once'
  put rpc-core/src/base/clock.h '#include <ctime>' '#include "weir/status.h"'
  put rpc-core/src/wire/frame.h '#include "base/clock.h"' '#include "weir/options.pb.h"'
  put rpc-core/src/server/dispatch.cc '#include "wire/frame.h"'
  put rpc-core/src/client/call.h '#include "wire/frame.h"'
  put rpc-registry/src/zookeeper.cc '#include <zookeeper/zookeeper.h>' '#include "weir/status.h"'
  put rpc-kv-service/include/weir/kv/client.h '#include "weir/status.h"'
  put tools/weir.cc '#include "weir/kv/client.h"' '#include "table.h"'
  put tools/table.h '#pragma once'
}
must_pass() {
  if ! output=$("$check" "$tree" 2>&1); then
    echo "FAILED: $1: refused a sound tree: $output"
    failures=$((failures + 1))
  fi
}
must_refuse() { # must_refuse FILE INCLUDE PATTERN
  sound_tree
  put "$1" "$2"
  if output=$("$check" "$tree" 2>&1) || ! grep -q "^$1:1: .*$3" <<<"$output"; then
    echo "FAILED: $1 with $2 was not refused with '$3': $output"
    failures=$((failures + 1))
  fi
}

sound_tree
must_pass "the sound tree"
must_refuse rpc-core/src/base/log.cc '#include "wire/frame.h"' 'base stands below or beside wire'
must_refuse rpc-core/src/server/drain.cc '#include "client/call.h"' 'server stands below or beside client'
must_refuse rpc-core/src/base/log.cc '#include "weir/kv/client.h"' 'rpc-core stands below'
must_refuse rpc-core/src/base/zk.cc '  #  include <zookeeper/zookeeper.h>' 'no ZooKeeper'
must_refuse rpc-core/src/attic/x.cc '#include "base/clock.h"' 'no floor of the house'
must_refuse rpc-core/include/weir/server.h '#include "base/clock.h"' 'only public headers'
must_refuse rpc-registry/src/list.cc '#include "base/clock.h"' 'not a public header of rpc-core'
must_refuse tools/peek.cc '#include "wire/frame.h"' 'not a public header of rpc-core'
exit $((failures > 0))
