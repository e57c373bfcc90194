// Reading .npz archives.
#include "tools/npz.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "encode.h"
#include "tools/inflate.h"

namespace mini_infer::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Bytes from_hex(const std::string& hex) {
  Bytes bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

// numpy.savez_compressed: a/b = arange(40).reshape(5, 8) modulo 7 as float32, n = [1, 2, 3] as
// int64.
const std::string kArchive =
    "504b0304140000000800000021004df20e345a0000002001000007001400612f622e6e707901001000200100"
    "00000000005a000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f"
    "54529498179f5f94920a12774bcc294e058a17672416a402f91aa63a0a169a3a0ab50a64032e063068b00712"
    "0e4004c40d40bc00880f380c063900504b030414000000080000002100bc91558e4d00000098000000050014"
    "006e2e6e70790100100098000000000000004d000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca4"
    "6ea5a06e9369a1aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0a"
    "b50a14002e4606086082d2cc501a00504b01021403140000000800000021004df20e345a0000002001000007"
    "0000000000000000000000800100000000612f622e6e7079504b0102140314000000080000002100bc91558e"
    "4d000000980000000500000000000000000000008001930000006e2e6e7079504b0506000000000200020068"
    "000000170100000000";
// zlib, level 9, of decompressed(): one block with codes of its own.
const std::string kDynamic =
    "1dd16bb2c6101803e0ad646b6e45f1a1f4a5d4de4f9dcc6432f9fd80ed700821a53a60ece97c40caa552c35c"
    "5c1e06fe970b752c71581f71f7c994412c349842c8f7b324c245936b649ac204b4a55c22c833d1ab90dbd2a1"
    "7e2f776ed19889c4901ab7f981afaf8e0daebc3a7504e2ae2e5cd3e4a931749ee6822debbc399a8ac314f8a6"
    "d2b41071d82a304f5279a19b2ad3c263e928022b0cd72d7455455ec83cb1c8f035b2842c2e591434d9ee0656"
    "12e5203c7e2559d1fdca8a30a3a87640dc762605cf8a19112df0fb5cb0ef6566c6c87a6683cbaeea3882ec49"
    "bf70bcc56fbc7cb2e54886513468c9f29e21470d7a213bf552829c949c42bb821113d96b3e09c1caf5dcdf28"
    "3608d11bc526ee2b7a7b60cd4e25c39fe6901cf369540bd22f7877c2e8434909c1f9e7887f4d06ceb7270ebd"
    "3d117edb13edd99e30e7f6449fdb13f1da9e307e7b42d9ed0969b727b4df9e9fedf604cded09e5b627ead89e"
    "b0697b8299ed89476e4f34eeca1f";

std::string decompressed() {
  std::string text;
  for (int i = 0; i < 600; ++i) text += static_cast<char>(i % 7 != 0 ? (i * i >> 5) % 29 + 97 : 32);
  return text;
}

std::string problem(const Bytes& bytes) {
  const auto result = parse_npz(bytes);
  return result.ok() ? "" : result.status().message();
}

TEST(Npz, ReadsCompressedArrays) {
  const auto tensors = parse_npz(from_hex(kArchive));
  ASSERT_TRUE(tensors.ok()) << tensors.status().message();
  ASSERT_EQ(tensors->size(), 2U);
  EXPECT_EQ(tensors->at("a/b").shape(), Shape({5, 8}));
  for (int i = 0; i < 40; ++i)
    EXPECT_EQ(tensors->at("a/b").data<float>()[i], static_cast<float>(i % 7));
  EXPECT_THAT(tensors->at("n").values<std::int64_t>(), ElementsAre(1, 2, 3));
}

TEST(Npz, RefusesWhatIsBroken) {
  const Bytes good = from_hex(kArchive);
  EXPECT_THAT(problem({}), HasSubstr("does not end as a ZIP archive"));
  EXPECT_THAT(problem(Bytes(good.begin(), good.end() - 30)), HasSubstr("does not end"));
  // Every change of a byte gives the arrays or a message, never anything else.
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const int change : {1, 64, 255}) {
      Bytes bad = good;
      bad[i] ^= static_cast<std::byte>(change);
      const auto result = parse_npz(bad);
      EXPECT_TRUE(result.ok() || !result.status().message().empty());
    }
    const Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_FALSE(parse_npz(cut).ok());
  }
  Bytes wrong = good;
  wrong[70] ^= std::byte{16};  // in the first array's data
  EXPECT_THAT(problem(wrong), HasSubstr("'a/b.npy': "));
}

TEST(Inflate, TakesAllKindsOfBlocks) {
  const auto dynamic = inflate(from_hex(kDynamic), 600);
  ASSERT_TRUE(dynamic.ok()) << dynamic.status().message();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(dynamic->data()), 600), decompressed());
  const auto stored = inflate(from_hex("010600f9ff73746f726564"), 6);
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(stored->data()), 6), "stored");
}

TEST(Inflate, MakesNothingElseThanWhatWasAskedFor) {
  EXPECT_FALSE(inflate(from_hex(kDynamic), 599).ok());
  EXPECT_FALSE(inflate(from_hex(kDynamic), 601).ok());
  EXPECT_FALSE(inflate(from_hex(kDynamic), std::size_t{1} << 40).ok());
  const Bytes whole = from_hex(kDynamic);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_FALSE(inflate(std::span(whole).first(i), 600).ok());
    Bytes bad = whole;
    bad[i] ^= std::byte{8};
    static_cast<void>(inflate(bad, 600));
  }
}

}  // namespace
}  // namespace mini_infer::tools
