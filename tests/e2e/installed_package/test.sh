#!/usr/bin/env bash
# test.sh WAY SETTINGS: uses weir as a stranger would, and runs what came out.
#   cmake_package      installed, through find_package(weir)
#   pkg_config         installed, through pkg-config
#   add_subdirectory   as a part of another CMake project (configured only: building weir again would
#                      prove nothing more)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
way=$1
# shellcheck disable=SC1090
source "$2"
: "${source_dir:?}" "${build_dir:?}" "${library_dir:?}" "${cmake:?}" "${compiler:?}" "${build_type:?}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
flags=()
if [[ -n ${sanitize:-} ]]; then flags=("-fsanitize=$sanitize" -fno-omit-frame-pointer); fi
configure=("$cmake" -G Ninja "-DCMAKE_BUILD_TYPE=$build_type" "-DCMAKE_CXX_COMPILER=$compiler"
  "-DCMAKE_CXX_FLAGS=${flags[*]}")
if command -v ccache >/dev/null; then configure+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi

install_weir() {
  "$cmake" --install "$build_dir" --prefix "$prefix" >"$work/install.log" ||
    { cat "$work/install.log" && exit 1; }
}

case $way in
  cmake_package)
    install_weir
    "${configure[@]}" -S "$here/consumer" -B "$work/build" "-DCMAKE_PREFIX_PATH=$prefix"
    "$cmake" --build "$work/build" -j2
    "$work/build/plugins" mem list file
    if refusal=$("${configure[@]}" -S "$here/consumer" -B "$work/refused" \
      "-DCMAKE_PREFIX_PATH=$prefix" -DCOMPONENT=teleport 2>&1); then
      echo "FAILED: a component that does not exist was found" && exit 1
    fi
    grep -q "without the component teleport" <<<"$refusal" || { echo "$refusal" && exit 1; }
    ;;
  pkg_config)
    install_weir
    export PKG_CONFIG_PATH=$prefix/$library_dir/pkgconfig
    packages=(weir-registry weir-loadbalance)
    schemes=(mem list file)
    if pkg-config --exists weir-zookeeper; then
      packages+=(weir-zookeeper)
      schemes+=(zk)
    fi
    read -ra options <<<"$(pkg-config --cflags --libs "${packages[@]}")"
    "$compiler" -std=c++20 "${flags[@]}" "$here/consumer/plugins.cc" -o "$work/plugins" "${options[@]}"
    "$work/plugins" "${schemes[@]}"
    ;;
  add_subdirectory)
    "${configure[@]}" -S "$here/consumer" -B "$work/build" "-DWEIR_SOURCE_DIR=$source_dir"
    ;;
  *)
    echo "test.sh: unknown way '$way'" >&2
    exit 2
    ;;
esac
