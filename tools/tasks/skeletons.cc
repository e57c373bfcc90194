#include "tools/tasks/skeletons.h"

namespace mini_infer::tools {

Bones bones_for(std::size_t points) {
  // Nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles; left before right.
  static const Bones kBody = {{0, 1},   {0, 2},   {1, 3},   {2, 4},  {5, 6},  {5, 7},
                              {7, 9},   {6, 8},   {8, 10},  {5, 11}, {6, 12}, {11, 12},
                              {11, 13}, {13, 15}, {12, 14}, {14, 16}};
  // The wrist, then four joints for each finger from the thumb on.
  static const Bones kHand = {{0, 1},   {1, 2},   {2, 3},   {3, 4},   {0, 5},   {5, 6},   {6, 7},
                              {7, 8},   {5, 9},   {9, 10},  {10, 11}, {11, 12}, {9, 13},  {13, 14},
                              {14, 15}, {15, 16}, {13, 17}, {0, 17},  {17, 18}, {18, 19}, {19, 20}};
  if (points == 17) return kBody;
  if (points == 21) return kHand;
  return {};
}

}  // namespace mini_infer::tools
