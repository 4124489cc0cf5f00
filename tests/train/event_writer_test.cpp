// Tests the event files for TensorBoard.
#include "graticule/train/event_writer.h"

#include <gtest/gtest.h>

#include <cstring>

#include "graticule/core/crc32c.h"
#include "tests/train/scratch_folder.h"

namespace graticule {
namespace {

template <class T>
T take(std::string_view& bytes) {
  T value;
  std::memcpy(&value, bytes.substr(0, sizeof(T)).data(), sizeof(T));
  bytes.remove_prefix(sizeof(T));
  return value;
}

uint64_t take_varint(std::string_view& bytes) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = take<uint8_t>(bytes);
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
}

std::string_view take_bytes(std::string_view& bytes, size_t size) {
  const std::string_view taken = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return taken;
}

void expect_crc(std::string_view data, uint32_t masked) {
  const uint32_t rotated = masked - 0xA282EAD8U;
  EXPECT_EQ((rotated >> 17) | (rotated << 15), crc32c(std::as_bytes(std::span(data))));
}

/// Fields of a message by number: numbers as written, sub-messages and strings as bytes.
std::map<uint64_t, std::string> fields_of(std::string_view message) {
  std::map<uint64_t, std::string> fields;
  while (!message.empty()) {
    const uint64_t key = take_varint(message);
    const uint64_t kind = key & 7;
    if (kind == 0) {
      fields[key >> 3] = std::to_string(take_varint(message));
    } else {
      fields[key >> 3] = take_bytes(message, kind == 1 ? 8 : kind == 5 ? 4 : take_varint(message));
    }
  }
  return fields;
}

std::vector<std::map<uint64_t, std::string>> events_of(const std::string& file) {
  std::vector<std::map<uint64_t, std::string>> events;
  for (std::string_view rest = file; !rest.empty();) {
    const std::string_view length = take_bytes(rest, 8);
    expect_crc(length, take<uint32_t>(rest));
    std::string_view counted = length;
    const std::string_view data = take_bytes(rest, take<uint64_t>(counted));
    expect_crc(data, take<uint32_t>(rest));
    events.push_back(fields_of(data));
  }
  return events;
}

TEST(EventWriter, WritesWhatTensorBoardReads) {
  const ScratchFolder folder;
  EventWriter writer(folder.path());
  writer.scalar("train/loss", 0, 1.5);
  writer.scalar("train/loss", 300000, -0.25);
  EXPECT_NE(writer.path().find("events.out.tfevents."), std::string::npos);

  auto events = events_of(read_bytes(writer.path()));
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0][3], "brain.Event:2");
  EXPECT_EQ(events[2][2], "300000");
  auto value = fields_of(fields_of(events[2][5])[1]);
  EXPECT_EQ(value[1], "train/loss");
  std::string_view number = value[2];
  EXPECT_EQ(take<float>(number), -0.25F);
  std::string_view seconds = events[1][1];
  EXPECT_GT(take<double>(seconds), 1.6e9);
}

TEST(EventWriter, SaysWhereItCannotWrite) {
  const std::string message = message_of<std::runtime_error>([] { EventWriter("/nowhere"); });
  EXPECT_EQ(message.find("[tensorboard] /nowhere/events.out.tfevents."), 0U) << message;
}

}  // namespace
}  // namespace graticule
