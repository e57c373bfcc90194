#!/bin/sh
# Installs what Debian 12 has and the build needs; does nothing when everything is there.
set -eu

packages="g++ cmake ninja-build libprotobuf-dev protobuf-compiler libonnx-dev libxsimd-dev libgtest-dev libgmock-dev
libbenchmark-dev libcli11-dev nlohmann-json3-dev libjpeg-dev libpng-dev zlib1g-dev libonnx-testdata"

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "This is no Debian system; install what these packages hold:" $packages >&2
  exit 0
fi

missing=""
for package in $packages; do
  # One line for each architecture that has the package.
  dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

root=""
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "These packages are missing:$missing" >&2
    echo "Install them as root: apt-get install$missing" >&2
    exit 1
  fi
  root=sudo
fi
echo "Installing from Debian:$missing"
$root apt-get update
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
