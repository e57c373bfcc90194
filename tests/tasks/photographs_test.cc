// Real networks on photographs, against boxes that reference_boxes.py found without mini-infer.
#include <gmock/gmock.h>

#include <set>

#include "../cli/program.h"
#include "tools/tasks/boxes.h"

namespace mini_infer::tools {
namespace {

struct Found {
  std::size_t cls;
  double score;
  Box box;
};

struct Reference {
  const char* model;
  const char* picture;
  std::vector<Found> objects;
};

// Printed by reference_boxes.py: class, score, left, top, right, bottom.
const std::vector<Reference> kReferences = {
    {"yolox_nano",
     "bus.jpg",
     {{5, 0.915, {5.5, 229.2, 805.2, 737.0}},
      {0, 0.849, {56.1, 387.3, 210.7, 899.6}},
      {0, 0.813, {216.7, 410.6, 348.5, 855.5}},
      {0, 0.683, {682.9, 448.0, 810.0, 875.3}}}},
    {"yolox_nano", "dog.jpg", {{16, 0.927, {196.4, 139.5, 721.8, 1006.2}}}},
    {"yolox_nano",
     "sofa_cats.jpg",
     {{15, 0.746, {328.7, 33.0, 623.1, 383.3}},
      {15, 0.712, {0.0, 50.0, 326.6, 405.8}},
      {59, 0.532, {0.0, 3.4, 633.7, 479.7}}}},
    {"yolox_nano",
     "street.jpg",
     {{2, 0.871, {138.5, 291.3, 228.2, 363.9}},
      {2, 0.859, {374.1, 245.4, 428.1, 293.1}},
      {2, 0.707, {0.0, 238.4, 31.8, 281.5}},
      {9, 0.697, {327.8, 143.2, 349.6, 195.5}},
      {2, 0.628, {327.5, 225.7, 351.7, 250.5}},
      {2, 0.621, {103.6, 213.2, 131.9, 233.2}},
      {9, 0.618, {299.8, 141.3, 320.1, 194.9}},
      {2, 0.548, {286.1, 227.6, 349.8, 253.2}},
      {2, 0.493, {479.8, 235.9, 499.8, 272.9}},
      {2, 0.480, {287.0, 230.2, 315.6, 252.1}},
      {9, 0.386, {455.6, 183.7, 466.5, 207.9}},
      {0, 0.375, {156.4, 206.4, 169.2, 231.3}},
      {9, 0.311, {378.3, 114.5, 387.4, 142.1}}}},
    {"yolov8n_int8_dynamic_320",
     "bus.jpg",
     {{5, 0.903, {12.8, 228.2, 800.3, 753.3}},
      {0, 0.889, {45.3, 397.7, 235.9, 911.5}},
      {0, 0.751, {224.7, 405.7, 348.0, 857.6}},
      {0, 0.578, {670.6, 412.6, 809.1, 868.6}},
      {0, 0.290, {1.8, 583.6, 73.7, 860.7}}}},
    {"yolov8n_int8_dynamic_320", "dog.jpg", {{16, 0.970, {199.5, 135.1, 724.1, 996.4}}}},
    {"yolov8n_int8_dynamic_320",
     "sofa_cats.jpg",
     {{15, 0.864, {15.9, 57.4, 311.9, 361.1}},
      {15, 0.756, {340.5, 30.1, 636.3, 373.8}},
      {65, 0.372, {38.8, 72.9, 175.3, 119.1}}}},
    {"yolov8n_int8_dynamic_320",
     "street.jpg",
     {{2, 0.864, {138.3, 291.8, 227.0, 362.5}},
      {2, 0.789, {377.7, 245.4, 428.4, 292.3}},
      {2, 0.630, {0.5, 237.2, 34.4, 282.1}},
      {9, 0.623, {326.8, 142.5, 349.2, 196.4}},
      {2, 0.554, {328.5, 226.0, 351.1, 249.9}},
      {2, 0.409, {102.6, 210.5, 133.3, 232.3}},
      {2, 0.404, {287.6, 225.6, 316.1, 251.9}},
      {2, 0.259, {479.8, 234.1, 499.3, 262.8}}}},
    {"yolov5lite_e_320",
     "bus.jpg",
     {{5, 0.846, {44.9, 220.7, 798.2, 753.2}},
      {0, 0.793, {57.3, 411.4, 228.9, 887.5}},
      {0, 0.759, {696.7, 450.3, 810.0, 889.5}},
      {0, 0.687, {214.9, 433.7, 346.8, 858.6}},
      {0, 0.356, {0.1, 584.0, 73.7, 879.2}}}},
    {"yolov5lite_e_320", "dog.jpg", {{16, 0.853, {189.6, 128.6, 723.8, 993.2}}}},
    {"yolov5lite_e_320",
     "sofa_cats.jpg",
     {{15, 0.646, {0.4, 44.3, 327.6, 468.1}},
      {59, 0.514, {0.0, 3.7, 631.2, 480.0}},
      {16, 0.340, {343.0, 19.9, 628.1, 387.2}}}},
    {"yolov5lite_e_320",
     "street.jpg",
     {{2, 0.810, {373.3, 242.6, 425.5, 293.7}},
      {2, 0.766, {131.6, 287.0, 227.6, 360.9}},
      {2, 0.570, {0.0, 233.8, 34.5, 282.5}},
      {2, 0.559, {278.8, 221.4, 311.0, 249.4}},
      {9, 0.558, {332.7, 176.7, 346.2, 195.6}},
      {9, 0.511, {455.9, 191.4, 464.6, 209.3}},
      {2, 0.496, {328.5, 229.9, 352.8, 249.1}},
      {2, 0.429, {318.8, 224.7, 347.9, 251.3}},
      {2, 0.396, {286.8, 227.5, 318.3, 253.8}},
      {2, 0.395, {270.2, 215.0, 301.0, 247.5}},
      {0, 0.358, {3.4, 229.1, 32.3, 279.8}},
      {2, 0.348, {102.7, 208.6, 132.1, 231.6}},
      {9, 0.314, {455.5, 185.9, 473.2, 212.3}},
      {9, 0.306, {330.4, 146.8, 347.2, 191.6}},
      {2, 0.283, {476.5, 231.2, 500.0, 262.9}},
      {2, 0.281, {307.1, 223.7, 330.1, 252.9}},
      {2, 0.275, {255.3, 214.5, 280.5, 245.1}},
      {0, 0.254, {19.6, 234.6, 37.7, 281.8}}}},
    {"yolo_fastestv2_coco",
     "bus.jpg",
     {{0, 0.943, {40.7, 399.5, 221.8, 892.9}},
      {5, 0.833, {37.3, 207.0, 802.9, 774.6}},
      {0, 0.725, {218.5, 396.5, 343.4, 841.4}},
      {0, 0.338, {0.0, 598.1, 59.2, 858.3}}}},
    {"yolo_fastestv2_coco", "dog.jpg", {{16, 0.693, {186.9, 128.8, 744.0, 996.3}}}},
    {"yolo_fastestv2_coco",
     "sofa_cats.jpg",
     {{15, 0.722, {6.6, 66.3, 345.8, 413.8}},
      {15, 0.525, {341.4, 27.7, 630.7, 388.0}},
      {16, 0.306, {344.1, 27.5, 633.8, 411.7}}}},
    {"yolo_fastestv2_coco",
     "street.jpg",
     {{2, 0.827, {138.1, 281.0, 269.5, 368.1}},
      {2, 0.743, {373.6, 248.1, 426.7, 288.8}},
      {2, 0.633, {229.9, 200.9, 256.5, 222.5}},
      {2, 0.599, {151.1, 196.7, 171.3, 227.0}},
      {2, 0.570, {242.7, 205.2, 275.6, 229.9}},
      {2, 0.567, {274.0, 217.2, 321.3, 251.9}},
      {2, 0.539, {181.6, 197.6, 207.1, 220.9}},
      {2, 0.529, {200.6, 198.2, 231.3, 218.2}},
      {2, 0.498, {331.2, 225.6, 359.8, 249.8}},
      {2, 0.497, {108.2, 203.9, 142.5, 230.4}},
      {2, 0.425, {0.0, 231.3, 32.8, 279.8}},
      {2, 0.378, {137.3, 192.5, 166.3, 219.3}},
      {2, 0.377, {265.1, 206.6, 298.1, 231.5}},
      {2, 0.354, {91.9, 207.0, 123.4, 231.8}},
      {2, 0.325, {250.5, 209.2, 285.9, 248.9}},
      {2, 0.324, {304.0, 224.1, 348.3, 258.9}},
      {9, 0.311, {331.4, 180.2, 360.1, 194.9}}}},
    {"ultraface_rfb_320",
     "faces_group.jpg",
     {{0, 0.999, {251.1, 55.1, 273.3, 84.1}},   {0, 0.999, {321.6, 103.9, 343.1, 131.6}},
      {0, 0.998, {483.3, 56.0, 504.1, 80.9}},   {0, 0.998, {662.7, 205.2, 684.3, 234.2}},
      {0, 0.995, {445.9, 74.9, 468.9, 105.1}},  {0, 0.994, {193.3, 61.6, 214.3, 86.9}},
      {0, 0.994, {605.9, 216.3, 628.6, 246.1}}, {0, 0.994, {556.7, 157.7, 578.3, 183.4}},
      {0, 0.993, {300.7, 157.5, 324.9, 189.0}}, {0, 0.993, {376.3, 170.3, 399.8, 200.4}},
      {0, 0.992, {64.3, 181.5, 89.2, 211.6}},   {0, 0.989, {523.5, 225.3, 548.8, 256.8}},
      {0, 0.986, {189.0, 205.5, 212.7, 236.5}}, {0, 0.986, {402.8, 107.7, 426.9, 139.0}},
      {0, 0.985, {127.0, 85.2, 147.6, 114.5}},  {0, 0.985, {365.3, 90.0, 386.2, 118.0}},
      {0, 0.985, {101.2, 137.6, 124.8, 165.8}}, {0, 0.982, {113.9, 204.7, 136.9, 232.1}},
      {0, 0.980, {40.9, 203.3, 63.6, 230.5}},   {0, 0.979, {576.8, 184.6, 597.0, 210.1}},
      {0, 0.978, {611.4, 153.2, 632.2, 178.1}}, {0, 0.977, {287.9, 85.4, 311.2, 115.8}},
      {0, 0.977, {540.9, 53.2, 561.8, 78.6}},   {0, 0.973, {339.2, 27.8, 359.4, 53.2}},
      {0, 0.972, {81.1, 232.1, 106.5, 259.2}},  {0, 0.969, {579.3, 93.8, 602.2, 121.5}},
      {0, 0.968, {459.3, 235.6, 482.5, 265.2}}, {0, 0.962, {650.7, 169.9, 672.8, 196.1}},
      {0, 0.961, {310.8, 218.9, 334.5, 245.9}}, {0, 0.961, {218.8, 172.1, 243.2, 198.5}},
      {0, 0.958, {476.4, 205.4, 499.6, 233.0}}, {0, 0.957, {236.0, 98.1, 260.8, 128.8}},
      {0, 0.953, {384.0, 219.2, 407.9, 247.2}}, {0, 0.949, {156.2, 227.0, 181.1, 254.2}},
      {0, 0.945, {230.8, 223.1, 253.6, 249.0}}, {0, 0.940, {349.8, 200.2, 372.2, 227.9}},
      {0, 0.934, {162.1, 141.8, 182.4, 167.0}}, {0, 0.926, {136.6, 124.7, 157.3, 150.1}},
      {0, 0.900, {178.2, 85.5, 199.2, 110.1}},  {0, 0.891, {505.8, 177.8, 526.9, 205.3}},
      {0, 0.871, {598.8, 60.4, 620.1, 85.7}},   {0, 0.854, {414.0, 201.5, 436.9, 229.4}},
      {0, 0.843, {475.0, 109.9, 497.8, 139.7}}, {0, 0.796, {148.5, 64.6, 167.3, 88.8}}}},
    {"ultraface_slim_320_simplified",
     "faces_group.jpg",
     {{0, 0.994, {251.2, 56.0, 274.1, 83.2}},   {0, 0.994, {300.9, 156.9, 326.1, 187.5}},
      {0, 0.991, {322.7, 104.3, 343.8, 132.9}}, {0, 0.989, {662.9, 204.4, 685.4, 235.5}},
      {0, 0.988, {484.7, 55.5, 506.9, 83.0}},   {0, 0.987, {523.8, 226.2, 547.3, 256.7}},
      {0, 0.986, {156.5, 225.3, 181.1, 254.6}}, {0, 0.984, {197.7, 64.4, 215.2, 86.3}},
      {0, 0.981, {611.3, 150.8, 633.6, 181.2}}, {0, 0.981, {100.0, 133.6, 124.8, 164.6}},
      {0, 0.976, {556.1, 155.6, 577.7, 181.7}}, {0, 0.975, {576.5, 184.9, 598.4, 211.1}},
      {0, 0.975, {539.8, 54.4, 559.1, 77.1}},   {0, 0.973, {289.8, 87.4, 311.7, 113.2}},
      {0, 0.970, {579.0, 93.5, 602.3, 121.6}},  {0, 0.970, {446.1, 75.4, 470.0, 103.8}},
      {0, 0.967, {375.6, 171.4, 397.8, 202.8}}, {0, 0.966, {126.7, 87.0, 147.9, 113.2}},
      {0, 0.964, {309.2, 219.5, 332.9, 248.7}}, {0, 0.964, {402.3, 108.9, 428.6, 140.4}},
      {0, 0.963, {67.9, 181.9, 91.1, 209.9}},   {0, 0.961, {163.6, 144.9, 181.1, 167.3}},
      {0, 0.954, {606.6, 216.2, 627.9, 244.8}}, {0, 0.948, {504.6, 177.9, 528.7, 207.6}},
      {0, 0.942, {219.4, 170.2, 242.0, 197.7}}, {0, 0.941, {179.7, 85.8, 201.7, 110.6}},
      {0, 0.939, {148.8, 65.3, 167.1, 89.0}},   {0, 0.937, {458.6, 236.2, 483.0, 265.9}},
      {0, 0.933, {651.5, 169.1, 674.2, 198.2}}, {0, 0.929, {81.0, 231.2, 106.4, 260.7}},
      {0, 0.927, {473.7, 109.2, 498.9, 137.7}}, {0, 0.927, {366.1, 91.7, 386.4, 119.0}},
      {0, 0.923, {137.6, 127.3, 157.5, 149.1}}, {0, 0.919, {381.9, 218.7, 407.1, 249.2}},
      {0, 0.917, {40.6, 202.9, 64.4, 230.4}},   {0, 0.916, {230.2, 221.3, 255.8, 250.2}},
      {0, 0.913, {340.5, 28.6, 358.6, 52.7}},   {0, 0.906, {270.5, 211.6, 293.6, 239.3}},
      {0, 0.904, {414.2, 201.9, 438.4, 230.4}}, {0, 0.903, {440.6, 172.7, 463.3, 198.5}},
      {0, 0.894, {187.2, 204.1, 212.7, 236.7}}, {0, 0.891, {475.7, 203.4, 499.0, 231.6}},
      {0, 0.883, {113.7, 202.9, 138.1, 233.4}}, {0, 0.877, {599.0, 61.3, 620.7, 87.5}},
      {0, 0.860, {428.7, 54.5, 447.5, 76.1}},   {0, 0.837, {348.2, 197.5, 371.4, 227.9}},
      {0, 0.828, {235.8, 100.0, 263.3, 129.3}}}},
    {"yunet_2021_120x160",
     "faces_group.jpg",
     {{0, 0.960, {315.4, 108.5, 340.7, 139.0}}, {0, 0.955, {228.2, 98.8, 255.6, 131.4}},
      {0, 0.923, {513.3, 213.4, 548.6, 256.2}}, {0, 0.917, {399.4, 109.1, 424.3, 138.3}},
      {0, 0.908, {368.0, 171.5, 397.7, 208.7}}, {0, 0.900, {258.5, 215.6, 286.0, 247.3}},
      {0, 0.896, {157.6, 225.6, 184.8, 259.6}}, {0, 0.860, {428.5, 173.6, 459.5, 210.8}},
      {0, 0.834, {436.2, 77.7, 461.9, 109.7}},  {0, 0.819, {363.2, 50.0, 388.7, 79.9}},
      {0, 0.813, {296.5, 157.2, 325.1, 192.8}}, {0, 0.805, {334.9, 36.7, 359.0, 64.6}},
      {0, 0.796, {140.5, 73.7, 167.2, 105.8}},  {0, 0.784, {106.2, 145.3, 129.0, 171.8}},
      {0, 0.784, {462.6, 225.0, 498.8, 270.1}}, {0, 0.755, {85.1, 231.1, 111.8, 263.6}},
      {0, 0.754, {226.5, 230.3, 254.1, 263.5}}, {0, 0.743, {246.9, 52.9, 273.1, 84.2}},
      {0, 0.741, {439.8, 163.8, 468.0, 198.2}}, {0, 0.735, {555.0, 154.8, 584.9, 190.1}},
      {0, 0.719, {292.0, 84.4, 319.6, 118.7}},  {0, 0.716, {216.1, 175.5, 242.8, 208.7}},
      {0, 0.710, {568.8, 182.7, 598.7, 220.2}}, {0, 0.691, {185.8, 79.7, 212.3, 112.8}},
      {0, 0.688, {475.6, 117.0, 502.8, 148.8}}, {0, 0.686, {401.0, 192.1, 433.4, 230.6}},
      {0, 0.683, {148.4, 182.3, 175.4, 216.2}}, {0, 0.682, {152.4, 156.1, 177.6, 185.7}},
      {0, 0.661, {582.5, 81.9, 612.7, 117.9}},  {0, 0.659, {481.9, 46.9, 509.2, 81.3}},
      {0, 0.652, {574.2, 109.8, 603.4, 143.6}}, {0, 0.614, {653.1, 192.5, 683.2, 232.5}},
      {0, 0.606, {606.7, 144.8, 633.9, 177.6}}, {0, 0.601, {472.0, 71.3, 499.7, 105.2}}}},
    {"retinaface_mnet_640_ort",
     "faces_group.jpg",
     {{0, 0.995, {153.9, 224.7, 180.0, 256.2}}, {0, 0.995, {522.4, 225.6, 547.0, 258.1}},
      {0, 0.993, {252.2, 57.9, 272.7, 82.4}},   {0, 0.991, {239.3, 100.5, 262.4, 130.3}},
      {0, 0.991, {301.0, 156.6, 325.0, 187.0}}, {0, 0.990, {429.6, 52.2, 450.6, 77.4}},
      {0, 0.989, {112.0, 203.7, 136.8, 234.1}}, {0, 0.986, {402.3, 109.4, 427.9, 139.6}},
      {0, 0.985, {186.5, 206.7, 211.4, 237.6}}, {0, 0.985, {65.7, 182.4, 88.7, 212.4}},
      {0, 0.985, {192.4, 60.6, 213.7, 87.8}},   {0, 0.984, {41.5, 204.0, 63.5, 231.6}},
      {0, 0.983, {578.9, 92.7, 601.8, 120.6}},  {0, 0.981, {136.0, 124.6, 158.0, 150.8}},
      {0, 0.981, {148.6, 64.0, 169.3, 89.3}},   {0, 0.980, {230.8, 221.8, 255.6, 250.3}},
      {0, 0.980, {382.2, 218.5, 406.5, 248.5}}, {0, 0.979, {376.1, 172.2, 400.6, 201.8}},
      {0, 0.978, {474.9, 111.9, 497.2, 139.7}}, {0, 0.974, {308.5, 217.2, 331.9, 246.5}},
      {0, 0.969, {127.5, 86.6, 148.6, 112.1}},  {0, 0.969, {322.3, 104.6, 345.0, 133.0}},
      {0, 0.967, {364.8, 89.4, 387.1, 117.4}},  {0, 0.967, {575.4, 185.2, 597.4, 209.2}},
      {0, 0.965, {446.4, 77.6, 469.2, 103.7}},  {0, 0.964, {151.2, 174.8, 176.3, 204.4}},
      {0, 0.962, {104.8, 139.0, 125.6, 165.1}}, {0, 0.962, {481.9, 54.2, 505.0, 81.5}},
      {0, 0.961, {599.3, 60.6, 619.3, 83.7}},   {0, 0.957, {288.4, 87.1, 311.8, 115.4}},
      {0, 0.956, {650.8, 167.4, 674.4, 195.7}}, {0, 0.956, {271.0, 206.7, 295.8, 235.9}},
      {0, 0.956, {662.7, 206.0, 685.0, 234.3}}, {0, 0.955, {218.0, 170.0, 243.2, 198.6}},
      {0, 0.954, {557.9, 156.7, 579.5, 181.4}}, {0, 0.953, {413.6, 202.0, 437.6, 228.3}},
      {0, 0.953, {312.9, 50.3, 334.8, 74.8}},   {0, 0.948, {459.2, 236.9, 482.9, 266.5}},
      {0, 0.947, {82.1, 229.9, 108.3, 260.1}},  {0, 0.947, {367.7, 50.5, 390.6, 76.5}},
      {0, 0.939, {339.3, 27.1, 359.9, 52.6}},   {0, 0.937, {475.5, 204.3, 499.7, 232.1}},
      {0, 0.937, {504.3, 180.1, 527.0, 207.5}}, {0, 0.934, {440.0, 169.5, 465.1, 199.3}},
      {0, 0.933, {538.6, 53.0, 559.7, 77.3}},   {0, 0.924, {159.9, 143.2, 179.5, 167.7}},
      {0, 0.915, {347.8, 200.5, 371.1, 228.4}}, {0, 0.908, {217.5, 98.8, 236.7, 123.1}},
      {0, 0.903, {605.6, 215.9, 628.3, 246.4}}, {0, 0.895, {180.0, 85.8, 201.2, 108.7}},
      {0, 0.888, {611.5, 150.8, 633.4, 178.0}}}},
    {"ppocrv3_det_ch",
     "text_en.jpg",
     {{0, 0.981, {5.5, 7.7, 22.7, 24.3}},
      {0, 0.995, {46.5, 6.4, 288.8, 26.6}},
      {0, 0.990, {5.5, 51.8, 700.5, 75.7}},
      {0, 0.993, {5.1, 77.4, 699.9, 97.9}},
      {0, 0.992, {6.2, 101.2, 339.2, 121.5}}}},
};

std::vector<Found> objects_in(const json& result) {
  std::vector<Found> objects;
  for (const json& o : result["objects"]) {
    const json& b = o["box"];
    objects.push_back({o["class"], o["score"], {b[0], b[1], b[2], b[3]}});
  }
  return objects;
}

// Whether one of `others` is the same object.
bool has_match(const Found& object, const std::vector<Found>& others, double least_iou,
               double most_score) {
  return std::any_of(others.begin(), others.end(), [&](const Found& other) {
    return other.cls == object.cls && iou(other.box, object.box) >= least_iou &&
           std::abs(other.score - object.score) <= most_score;
  });
}

// Each object of one side must be among those of the other, unless its score lies so near to the
// threshold (the least score of all) that rounding may drop it.
void expect_same(const Reference& reference, const json& result) {
  // Dynamic quantisation rounds inside of the network.
  const bool int8 = std::string(reference.model).find("int8") != std::string::npos;
  const double least_iou = int8 ? 0.85 : 0.98, most_score = int8 ? 0.03 : 0.003;
  const std::vector<Found> found = objects_in(result);
  double threshold = 1;
  for (const Found& object : reference.objects) threshold = std::min(threshold, object.score);
  for (const Found& object : found) threshold = std::min(threshold, object.score);
  const auto expect_among = [&](const std::vector<Found>& some, const std::vector<Found>& all) {
    for (const Found& o : some) {
      if (o.score < threshold + most_score) continue;
      EXPECT_TRUE(has_match(o, all, least_iou, most_score))
          << reference.model << ' ' << reference.picture << ": class " << o.cls << " score "
          << o.score << " at " << o.box.left << ' ' << o.box.top << ' ' << o.box.right << ' '
          << o.box.bottom;
    }
  };
  expect_among(reference.objects, found);
  expect_among(found, reference.objects);
}

class Photographs : public Program {
 protected:
  const std::string shared_ = MINI_SHARED;
  std::string model(const std::string& name) const {
    return shared_ + "/models/" + name + "/model.onnx";
  }
  std::string picture(const std::string& name) const { return shared_ + "/images/" + name; }
  void SetUp() override {
    if (!std::filesystem::exists(model("yolox_nano"))) GTEST_SKIP() << shared_ << " does not exist";
  }
};

TEST_F(Photographs, BoxesAreThoseOfAnIndependentScript) {
  for (const Reference& reference : kReferences) {
    const json report =
        run_json("run " + model(reference.model) + ' ' + picture(reference.picture));
    expect_same(reference, report["results"][0]);
  }
}

// What a person sees there: these classes and no other animals.
TEST_F(Photographs, PeopleAndAnimalsAreNamedRightly) {
  const std::string labels = " --labels " + shared_ + "/labels/coco_80.names";
  const auto names = [&](const std::string& network, const std::string& name) {
    std::multiset<std::string> found;
    const json report = run_json("run " + model(network) + ' ' + picture(name) + labels);
    for (const json& object : report["results"][0]["objects"])
      found.insert(object["label"].get<std::string>());
    return found;
  };
  for (const char* network :
       {"yolox_nano", "yolov8n_int8_dynamic_320", "yolov5lite_e_320", "yolo_fastestv2_coco"}) {
    const auto bus = names(network, "bus.jpg");
    EXPECT_EQ(bus.count("bus"), 1U) << network;
    EXPECT_GE(bus.count("person"), 3U) << network;
    EXPECT_EQ(names(network, "dog.jpg"), std::multiset<std::string>{"dog"}) << network;
    EXPECT_GE(names(network, "sofa_cats.jpg").count("cat"), 1U) << network;
    EXPECT_GE(names(network, "street.jpg").count("car"), 5U) << network;
  }
  for (const char* network : {"yolox_nano", "yolov8n_int8_dynamic_320", "yolo_fastestv2_coco"})
    EXPECT_EQ(names(network, "sofa_cats.jpg").count("cat"), 2U) << network;
}

TEST_F(Photographs, NamesComeFromTheMetadata) {
  const json report =
      run_json("run " + model("yolov8n_int8_dynamic_320") + ' ' + picture("dog.jpg"));
  EXPECT_EQ(report["results"][0]["objects"][0]["label"], "dog");
  EXPECT_EQ(report["results"][0]["head"], "yolov8");
  const json unnamed = run_json("run " + model("yolox_nano") + ' ' + picture("dog.jpg"));
  EXPECT_EQ(unnamed["results"][0]["objects"][0]["label"], "class 16");
}

// The points of a face lie in its box, the eyes above the mouth.
TEST_F(Photographs, PointsOfFacesAreWhereTheyBelong) {
  for (const char* network : {"yunet_2021_120x160", "retinaface_mnet_640_ort"}) {
    const json report = run_json("run " + model(network) + ' ' + picture("faces_group.jpg"));
    ASSERT_GE(report["results"][0]["objects"].size(), 30U) << network;
    for (const json& face : report["results"][0]["objects"]) {
      const json& p = face["points"];
      ASSERT_EQ(p.size(), 5U);
      const double height = face["box"][3].get<double>() - face["box"][1].get<double>();
      for (const json& point : p) {
        EXPECT_GT(point[1], face["box"][1].get<double>() - 0.2 * height);
        EXPECT_LT(point[1], face["box"][3].get<double>() + 0.2 * height);
      }
      EXPECT_LT(p[0][0], p[1][0]) << "left eye, right eye";
      EXPECT_LT(p[0][1], p[3][1]) << "eye, mouth";
    }
  }
}

TEST_F(Photographs, DogIsSegmented) {
  const json report = run_json("run " + model("deeplab_v3_257") + ' ' + picture("dog.jpg") +
                               " --out " + file("dog.png"));
  const json& classes = report["results"][0]["classes"];
  ASSERT_GE(classes.size(), 2U);
  EXPECT_EQ(classes[1]["class"], 12);  // the dog of PASCAL VOC
  EXPECT_NEAR(classes[1]["share"].get<double>(), 0.25, 0.05);
  const Image before = *read_image(picture("dog.jpg")), after = *read_image(file("dog.png"));
  EXPECT_EQ(after.width, before.width);
  // The head is coloured, the pavement is not.
  EXPECT_NE(0, std::memcmp(before.at(420, 250), after.at(420, 250), 3));
  EXPECT_EQ(0, std::memcmp(before.at(900, 600), after.at(900, 600), 3));
}

TEST_F(Photographs, FacesAndLandmarks) {
  const json face =
      run_json("run " + model("openseeface_lm_model0_ort") + ' ' + picture("grace_hopper.jpg"));
  ASSERT_EQ(face["results"][0]["objects"].size(), 1U);
  EXPECT_EQ(face["results"][0]["objects"][0]["points"].size(), 66U);
  const json none =
      run_json("run " + model("hand_landmark_mediapipe") + ' ' + picture("grace_hopper.jpg"));
  EXPECT_EQ(none["results"][0]["head"], "hand");
  EXPECT_EQ(none["results"][0]["objects"].size(), 0U);
  const json any = run_json("run " + model("hand_landmark_mediapipe") + ' ' +
                            picture("grace_hopper.jpg") + " --score 0");
  EXPECT_EQ(any["results"][0]["objects"][0]["points"].size(), 21U);
}

TEST_F(Photographs, PlatesHaveFourCorners) {
  const json report = run_json("run " + model("lpr_y5fu_320") + ' ' + picture("street.jpg"));
  const json& objects = report["results"][0]["objects"];
  ASSERT_EQ(objects.size(), 1U);
  EXPECT_EQ(objects[0]["points"].size(), 4U);
  EXPECT_GT(
      iou({objects[0]["box"][0], objects[0]["box"][1], objects[0]["box"][2], objects[0]["box"][3]},
          {172, 325, 194, 333}),
      0.7);  // where the plate of the white car is seen
}

double mean_brightness(const Image& image) {
  double sum = 0;
  for (const std::uint8_t value : image.pixels) sum += value;
  return sum / static_cast<double>(image.pixels.size());
}

TEST_F(Photographs, PicturesComeOut) {
  run_json("run " + model("super_resolution_pt_depthtospace") + ' ' + picture("sofa_cats.jpg") +
           " --out " + file("large.png"));
  const Image large = *read_image(file("large.png")), own = *read_image(picture("sofa_cats.jpg"));
  EXPECT_EQ(large.width, 672);
  EXPECT_EQ(large.height, 504);  // the proportions of 640x480
  const Image expected = resize(own, 672, 504);
  double difference = 0;
  for (std::size_t i = 0; i < large.pixels.size(); ++i)
    difference += std::abs(large.pixels[i] - expected.pixels[i]);
  EXPECT_LT(difference / static_cast<double>(large.pixels.size()), 8) << "colours are carried over";

  run_json("run " + model("sci_lowlight_480x640") + ' ' + picture("street.jpg") + " --out " +
           file("light.png"));
  const Image light = *read_image(file("light.png"));
  EXPECT_GT(mean_brightness(light), mean_brightness(*read_image(picture("street.jpg"))) + 30);

  const json style = run_json("run " + model("fns_candy_winml") + ' ' + picture("style_input.jpg") +
                              " --out " + file("candy.jpg"));
  EXPECT_EQ(style["results"][0]["task"], "image");
  const Image candy = *read_image(file("candy.jpg"));
  EXPECT_EQ(candy.height, 720);
  EXPECT_EQ(candy.width, 705);  // 1306x1333
}

// What each model is taken for. Nothing is found in those that are of another kind.
TEST_F(Photographs, EveryModelIsTakenForWhatItIs) {
  const std::map<std::string, std::string> heads = {{"deeplab_v3_257", "segmentation"},
                                                    {"facemesh_tflite2onnx", "face-mesh"},
                                                    {"fns_candy_winml", "picture"},
                                                    {"fns_candy_no_opset", "picture"},
                                                    {"hand_landmark_mediapipe", "hand"},
                                                    {"lpr_y5fu_320", "yolov5"},
                                                    {"mnv3_face_detection_ort", "face-centres"},
                                                    {"openseeface_lm_model0_ort", "face-heatmaps"},
                                                    {"ppocrv3_det_ch", "text"},
                                                    {"retinaface_mnet_640_ort", "retinaface"},
                                                    {"sci_lowlight_480x640", "picture"},
                                                    {"super_resolution_pt_depthtospace", "picture"},
                                                    {"ultraface_rfb_320", "ultraface"},
                                                    {"ultraface_slim_320_simplified", "ultraface"},
                                                    {"yolo_fastestv2_coco", "yolo-fastest"},
                                                    {"yolov5lite_e_320", "yolov5"},
                                                    {"yolov8n_int8_dynamic_320", "yolov8"},
                                                    {"yolox_nano", "yolox"},
                                                    {"yunet_2021_120x160", "yunet"}};
  for (const auto& entry : std::filesystem::directory_iterator(shared_ + "/models")) {
    const std::string name = entry.path().filename().string();
    run("run " + model(name) + ' ' + picture("faces_small.jpg") + " --json");
    const json report = json::parse(out_, nullptr, false);
    if (!report.is_object() || report["results"].empty()) continue;  // it takes no pictures
    const json& result = report["results"][0];
    const std::string head = result.contains("head") ? result["head"].get<std::string>() : "";
    EXPECT_EQ(head, heads.contains(name) ? heads.at(name) : "") << name;
  }
}

}  // namespace
}  // namespace mini_infer::tools
