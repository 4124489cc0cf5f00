// Tests safetensors files: round trips, parts, and damaged files.
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>

#include "graticule/train/safetensors.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "graticule/core/error.h"
#include "tests/seed.h"
#include "tests/train/scratch_folder.h"

namespace graticule {
namespace {

using Tensors = std::map<std::string, at::Tensor>;

const Metadata metadata = {{"model", "{\"dim\": 8}"}, {"note", "line\nand \"quote\" and grad \u00b0"}};

Tensors sample_tensors() {
  return {{"blocks.0.weight", at::randn({3, 5})},
          {"counts", at::randint(-1000, 1000, {7}, at::kLong)},
          {"half", at::randn({2, 1, 3}).to(at::kHalf)},
          {"brain", at::randn({9}).to(at::kBFloat16)},
          {"scalar", at::randn({})},
          {"none", at::empty({0, 4})},
          {"bytes", at::randint(0, 255, {3}, at::kByte)}};
}

std::vector<TensorEntry> entries_of(const Tensors& tensors) {
  std::vector<TensorEntry> entries;
  for (const auto& [name, tensor] : tensors)
    entries.push_back({name, tensor.scalar_type(), tensor.sizes().vec()});
  return entries;
}

void write_file(const std::string& path, const Tensors& tensors) {
  SafetensorsWriter writer(path, entries_of(tensors), metadata);
  for (const auto& [name, tensor] : tensors) writer.write(name, tensor);
  writer.close();
}

void expect_same(const SafetensorsReader& reader, const Tensors& tensors) {
  EXPECT_EQ(reader.metadata(), metadata);
  EXPECT_EQ(reader.entries().size(), tensors.size());
  for (const auto& [name, tensor] : tensors)
    EXPECT_TRUE(reader.read(name, tensor.sizes()).equal(tensor)) << name;
}

TEST(Safetensors, RoundTripAndThroughPythonsStandardLibrary) {
  const ScratchFolder folder;
  const Tensors tensors = sample_tensors();
  write_file(folder / "ours", tensors);
  expect_same(SafetensorsReader(folder / "ours"), tensors);

  const auto script = std::filesystem::path(__FILE__).parent_path() / "plain_safetensors.py";
  const std::string command = text("python3 ", script.string(), " ", folder / "ours", " ", folder / "theirs");
  ASSERT_EQ(std::system(command.c_str()), 0);
  expect_same(SafetensorsReader(folder / "theirs"), tensors);
}

TEST(Safetensors, PiecesInAnyOrderAndRanges) {
  const ScratchFolder folder;
  const uint64_t seed = test_seed();
  std::mt19937_64 random(seed);
  const int64_t count = 1 + static_cast<int64_t>(random() % 200);
  const at::Tensor whole = at::randn({count, 3});
  const at::Tensor flat = whole.flatten();
  SafetensorsWriter writer(folder / "f", {{"x", at::kFloat, {count, 3}}, {"y", at::kByte, {1}}});
  writer.write("y", at::ones({1}, at::kByte));
  const int64_t parts = 1 + static_cast<int64_t>(random() % 7);
  for (int64_t part = parts - 1; part >= 0; --part) {
    const Span piece = span_of(flat.numel(), parts, part);
    writer.write_elements("x", piece.begin, flat.slice(0, piece.begin, piece.end));
  }
  writer.close();
  const SafetensorsReader reader(folder / "f");
  for (int i = 0; i < 20; ++i) {
    const auto a = static_cast<int64_t>(random() % static_cast<uint64_t>(flat.numel() + 1));
    const auto b = static_cast<int64_t>(random() % static_cast<uint64_t>(flat.numel() + 1));
    const Span range = {std::min(a, b), std::max(a, b)};
    EXPECT_TRUE(reader.read_elements("x", range).equal(flat.slice(0, range.begin, range.end)))
        << "seed " << seed;
  }
}

TEST(Safetensors, AnUnfinishedFileDoesNotClose) {
  const ScratchFolder folder;
  SafetensorsWriter writer(folder / "f", {{"x", at::kFloat, {4}}});
  writer.write_elements("x", 0, at::ones({3}));
  EXPECT_THROW(writer.close(), std::logic_error);
}

TEST(Safetensors, MistakesAreNamed) {
  const ScratchFolder folder;
  write_file(folder / "f", sample_tensors());
  const SafetensorsReader reader(folder / "f");
  const auto fails = [](auto call) { return message_of<std::runtime_error>(call); };
  EXPECT_NE(fails([&] { reader.read("blocks.0.wieght"); }).find("nearest of its names is blocks.0.weight"),
            std::string::npos);
  EXPECT_NE(fails([&] { reader.read("counts", {8}); }).find("has shape [7], the model needs [8]"),
            std::string::npos);
  const std::string missing = fails([&] { SafetensorsReader(folder / "nowhere"); });
  EXPECT_EQ(missing.find("[safetensors] " + folder / "nowhere" + ": cannot be read: "), 0U) << missing;
  EXPECT_NE(fails([] { SafetensorsWriter("/dev/full", {}); }).find("No space left"), std::string::npos);
  EXPECT_THROW(SafetensorsWriter(folder / "g", {{"x", at::kFloat, {1}}, {"x", at::kFloat, {1}}}),
               std::invalid_argument);
  EXPECT_THROW(SafetensorsWriter(folder / "g", {{"x", at::kComplexFloat, {1}}}), std::invalid_argument);
}

TEST(Safetensors, EveryTruncationIsNoticed) {
  const ScratchFolder folder;
  write_file(folder / "f", sample_tensors());
  const std::string whole = read_bytes(folder / "f");
  for (size_t size = 0; size < whole.size(); size += 13) {
    write_bytes(folder / "g", whole.substr(0, size));
    const std::string message = message_of<std::runtime_error>([&] { SafetensorsReader(folder / "g"); });
    EXPECT_NE(message.find(folder / "g"), std::string::npos) << size << " of " << whole.size();
  }
}

TEST(Safetensors, AHeaderOfTerabytesIsRefusedBeforeMemoryIsTaken) {
  const ScratchFolder folder;
  for (const uint64_t length : {uint64_t{1} << 42, uint64_t{1} << 63, UINT64_MAX}) {
    write_bytes(folder / "g", std::string(reinterpret_cast<const char*>(&length), 8) + "{}  ");
    const std::string message = message_of<std::runtime_error>([&] { SafetensorsReader(folder / "g"); });
    EXPECT_NE(message.find(text("12 bytes cannot hold a header of ", length)), std::string::npos) << message;
  }
}

TEST(Safetensors, DamagedHeadersAreRefused) {
  const ScratchFolder folder;
  const auto refused = [&](const std::string& header, int64_t data_bytes) {
    const uint64_t length = header.size();
    write_bytes(folder / "g", std::string(reinterpret_cast<const char*>(&length), 8) + header +
                                  std::string(data_bytes, 'x'));
    return message_of<std::runtime_error>([&] { SafetensorsReader(folder / "g"); });
  };
  EXPECT_EQ(refused(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 2), "");
  const char* damaged[] = {
      R"({"a":)", R"([1, 2])", R"({"a":{"dtype":"U9","shape":[2],"data_offsets":[0,2]}})",
      R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,2]}})",
      R"({"a":{"dtype":"U8","shape":[-2],"data_offsets":[0,2]}})",
      R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
      R"({"a":{"dtype":"U8","shape":[2],"data_offsets":["0","2"]}})", R"({"a":{"dtype":"U8","shape":"2"}})",
      // Sizes whose product passes 2^63, or that are no whole numbers below it.
      R"({"a":{"dtype":"U8","shape":[4611686018427387904,4],"data_offsets":[0,0]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
      R"({"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
      R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,1e300]}})",
      R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,18446744073709551615]}})",
      R"({"a":{"dtype":"U8","shape":[2.5],"data_offsets":[0,2]}})",
      R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2,2]}})",
      R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[-2,0]}})",
      R"({"__metadata__":{"a":1},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})"};
  for (const char* header : damaged)
    EXPECT_EQ(refused(header, 2).find("[safetensors] " + folder / "g"), 0U) << header;
}

}  // namespace
}  // namespace graticule
