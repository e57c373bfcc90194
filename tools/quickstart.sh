#!/bin/sh
# From a bare Debian 12 to a picture that is classified: installs what is missing, builds, runs the demo.
set -eu
cd "$(dirname "$0")/.."
tools/install_packages.sh
cmake --preset release -DMINI_INFER_TESTS=OFF -DMINI_INFER_BENCH=OFF
cmake --build --preset release --target mini-infer --parallel "$(nproc)"
build/release/mini-infer demo
