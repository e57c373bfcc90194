// What tests of convolution algorithms have in common: an algorithm by name, shapes, and the
// comparison with the double-precision reference on every instruction set and with 1 to 3 threads.
#pragma once

#include "kernels/conv/expanded_conv.h"
#include "tests/conv_kernels/conv_reference.h"

namespace mini_infer::conv_test {

// Around whole blocks of every instruction set.
inline constexpr std::int64_t kChannels[] = {1, 3, 5, 15, 17, 24, 31, 33};

struct Algorithm {
  const char* name;
  const char* (*declines)(const ConvShape&, Isa);
  std::unique_ptr<ConvAlgorithm> (*make)(const ConvShape&, Isa);
  InputLayout layout;
  double tolerance;       // times the sum of the magnitudes that are added
  bool normwise = false;  // the largest such sum of the whole output
};

inline constexpr Algorithm kDirect{"direct", direct_conv_declines, make_direct_conv,
                                   InputLayout::kBlocked, 1e-6};
inline constexpr Algorithm kStrassen{
    "strassen", strassen_conv_declines, make_strassen_conv, InputLayout::kBlocked, 1e-6, true};
inline constexpr Algorithm kExpanded{"expanded", expanded_conv_declines, make_expanded_conv,
                                     InputLayout::kBlocked, 1e-6};
inline constexpr Algorithm kWinograd4{
    "winograd4", winograd4_conv_declines, make_winograd4_conv, InputLayout::kBlocked, 2e-6, true};
inline constexpr Algorithm kWinograd2{
    "winograd2", winograd2_conv_declines, make_winograd2_conv, InputLayout::kBlocked, 1e-6, true};
inline constexpr Algorithm kWinograd5{
    "winograd5", winograd5_conv_declines, make_winograd5_conv, InputLayout::kBlocked, 2e-6, true};

// Those that take the problem, on every instruction set this machine has, against the reference; 2
// and 3 threads must give the same bits as 1.
void check(const std::vector<Algorithm>& algorithms, const Problem& problem,
           const Reference& expected);
void check(const std::vector<Algorithm>& algorithms, ConvShape shape,
           const ProblemOptions& options = {});

// A square image and kernel, padded by `pad` on all sides.
ConvShape square(std::int64_t ic, std::int64_t oc, std::int64_t size, std::int64_t kernel,
                 std::int64_t stride, std::int64_t pad, std::int64_t dilation = 1);

// All epilogues.
std::vector<ProblemOptions> epilogues();

// Largest error over root mean square of the output, as kernels are used: He-scaled weights, inputs
// after Relu, no bias.
double relative_error(const Algorithm& algorithm, ConvShape shape, Isa isa);

}  // namespace mini_infer::conv_test
