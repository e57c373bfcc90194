#!/bin/sh
# From a bare Debian 12 to the tests: installs what is missing, builds everything, runs all tests.
set -eu
cd "$(dirname "$0")/.."
tools/install_packages.sh
cmake --preset release -DMINI_INFER_TESTS=ON -DMINI_INFER_BENCH=ON
cmake --build --preset release --parallel "$(nproc)"
ctest --preset release "$@"
