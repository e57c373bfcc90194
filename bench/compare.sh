#!/bin/sh
# Times mini-infer against another engine on the same models, alternately, process by process, and prints medians and their ratio.
#
#   PEER='node ort_bench.mjs' bench/compare.sh [-t THREADS] [-s SECONDS] [-r ROUNDS] MODEL.onnx...
#
# PEER is a command that takes `MODEL --threads N --seconds S` and prints one JSON line with "median_ms" (or "median_ms" anywhere in it).
# MINI_INFER is the program to time, build/release/mini-infer by default.
set -eu
threads=1 seconds=2 rounds=3
while getopts t:s:r: option; do
  case $option in
    t) threads=$OPTARG ;;
    s) seconds=$OPTARG ;;
    r) rounds=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
if [ $# -eq 0 ] || [ -z "${PEER:-}" ]; then
  sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
mini=${MINI_INFER:-$(dirname "$0")/../build/release/mini-infer}

median_ms() { tr ',' '\n' | sed -n 's/.*"median_ms": *\([0-9.]*\).*/\1/p' | head -n 1; }
middle() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

printf '%-24s %8s %12s %12s %8s\n' model threads 'mini-infer ms' 'peer ms' ratio
for model in "$@"; do
  ours='' theirs=''
  round=0
  while [ $round -lt "$rounds" ]; do
    a=$("$mini" bench --threads "$threads" --seconds "$seconds" --json "$model" | tr '\n' ' ' | median_ms)
    b=$($PEER "$model" --threads "$threads" --seconds "$seconds" | median_ms)
    ours="$ours $a" theirs="$theirs $b"
    round=$((round + 1))
  done
  a=$(printf '%s\n' $ours | middle) b=$(printf '%s\n' $theirs | middle)
  printf '%-24s %8s %12s %12s %8s\n' "$(basename "$model" .onnx)" "$threads" "$a" "$b" \
    "$(awk "BEGIN {printf \"%.2f\", $b / $a}")"
done
