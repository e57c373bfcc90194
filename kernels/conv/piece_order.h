// The order in which a thread goes through its rows, tiles or pixels of a map.
//
// Other threads have what lies before and behind in memory. The hardware fetches ahead of a stream,
// so a stream that ends where theirs begins takes lines from their caches that they are about to
// write, again and again; between distant cores that costs more than small layers take. Inwards,
// the first half is gone through forwards and the second half backwards from its end: both streams
// end in the middle, and what follows them there is the thread's own.
#pragma once

namespace mini_infer {

// The piece of `count` that is taken at step `step`; 0 <= step < count. Always inline: a copy of it
// from one instruction set must not serve another.
[[gnu::always_inline]] constexpr int piece_at(int step, int count, bool inwards) {
  const int forwards = inwards ? (count + 1) / 2 : count;
  return step < forwards ? step : count - 1 - (step - forwards);
}

}  // namespace mini_infer
