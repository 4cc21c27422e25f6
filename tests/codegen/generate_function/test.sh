#!/usr/bin/env bash
# test.sh builds|refuses TARGETS CMAKE COMPILER: calls weir_generate from the project beside this file.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$here/project" "$work/source"
configure=("$3" -G Ninja -S "$work/source" -B "$work/build" "-DWEIR_TARGETS=$2" "-DCMAKE_CXX_COMPILER=$4"
  -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_CXX_FLAGS=-O0 -Wall -Wextra -Wshadow -Werror")
if command -v ccache >/dev/null; then configure+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
fail() { echo "FAILED: $*" && exit 1; }

# refuses CALL TEXT...: weir_generate(CALL) stops the configuration, and its message says all TEXTs.
refuses() {
  local call=$1 output text
  shift
  if output=$("${configure[@]}" "-DCALL=$call" 2>&1); then fail "weir_generate($call) is accepted"; fi
  output=$(tr -s ' \n' ' ' <<<"$output")  # CMake wraps its messages
  for text in "$@"; do
    [[ $output == *"$text"* ]] || fail "weir_generate($call) does not say '$text' but: $output"
  done
}

case $case in
  builds)
    "${configure[@]}" >"$work/log" || { cat "$work/log" && exit 1; }
    "$3" --build "$work/build" -j2
    # A change of an imported file makes what imports it again, and nothing else.
    sed -i 's/ZEROTH/NO_COLOUR/' "$work/source/proto/shop/types/colour.proto"
    plan=$("$3" --build "$work/build" --target shop_protos -- -n)
    grep -q "Generating shop/shop.pb.h" <<<"$plan" || fail "the importing file is not made again: $plan"
    "$3" --build "$work/build" -j2
    [[ $("$3" --build "$work/build" | tail -1) == *"no work to do."* ]] || fail "a second build finds work"
    # A .proto that the plugin refuses fails the build with the file's line and leaves no header.
    sed -i 's/returns (Item)/returns (stream Item)/' "$work/source/proto/shop/shop.proto"
    if output=$("$3" --build "$work/build" 2>&1); then fail "a stream is accepted"; fi
    grep -q "shop/shop.proto:[0-9]*:[0-9]*: method shop.Shop/Find streams" <<<"$output" || fail "$output"
    ;;
  refuses)
    refuses "fresh" "weir_generate(fresh)" "no .proto files"
    refuses "fresh;OUT_DIR" "weir_generate(fresh)" "OUT_DIR needs a value"
    refuses "fresh;missing.proto" "missing.proto does not exist"
    refuses "fresh;CMakeLists.txt" "CMakeLists.txt is not a .proto file"
    refuses "fresh;/etc/../$work/elsewhere.proto" "elsewhere.proto does not exist"
    touch "$work/elsewhere.proto"
    refuses "fresh;$work/elsewhere.proto" "is in none of the import folders" "IMPORT_DIRS"
    refuses "fresh;proto/shop/shop.proto;IMPORT_DIRS;nowhere" "import folder" "nowhere does not exist"
    refuses "headers_only;proto/shop/shop.proto" "weir_generate(headers_only)" "cannot be added"
    refuses "second_protos;proto/shop/shop.proto" "second; call weir_generate there"
    ;;
  *) echo "test.sh: unknown case '$case'" >&2 && exit 2 ;;
esac
