// Two public formats, written by hand because only six fields of them are needed.
//
// TFRecord: length (u64) | masked crc of length (u32) | data | masked crc of data (u32), little-endian.
//
// Protobuf: a field is the varint (number << 3 | kind), then its payload:
//   kind 0  varint
//   kind 1  8 bytes
//   kind 2  varint length and bytes
//   kind 5  4 bytes
//
//   Event   {1: double wall_time, 2: int64 step, 3: string file_version, 5: Summary summary}
//   Summary {1: Value value}     Value {1: string tag, 2: float simple_value}
#include "graticule/train/event_writer.h"

#include <unistd.h>

#include <array>
#include <chrono>

#include "graticule/core/crc32c.h"
#include "graticule/core/error.h"

namespace graticule {

namespace {

enum Kind : uint64_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

std::string encode_varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
  return out;
}

std::string field(uint64_t number, Kind kind, const std::string& payload) {
  const std::string length = kind == bytes ? encode_varint(payload.size()) : "";
  return encode_varint(number << 3 | kind) + length + payload;
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// The checksum rotated and shifted (TFRecord's rule), so that a checksum over data with checksums stays
/// strong.
uint32_t masked_crc(const std::string& data) {
  const uint32_t crc = crc32c(std::as_bytes(std::span(data)));
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8U;
}

std::string event_path(const std::string& folder) {
  std::array<char, 256> host = {};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return text(folder, "/events.out.tfevents.", static_cast<int64_t>(seconds_now()), ".", host.data(), ".",
              ::getpid());
}

}  // namespace

EventWriter::EventWriter(const std::string& folder) : file_(File::create(event_path(folder), "tensorboard")) {
  append(field(1, fixed64, raw(seconds_now())) + field(3, bytes, "brain.Event:2"));
}

void EventWriter::scalar(const std::string& tag, int64_t step, double value) {
  const std::string named = field(1, bytes, tag) + field(2, fixed32, raw(static_cast<float>(value)));
  append(field(1, fixed64, raw(seconds_now())) +
         field(2, varint, encode_varint(static_cast<uint64_t>(step))) +
         field(5, bytes, field(1, bytes, named)));
}

void EventWriter::append(const std::string& event) {
  const std::string length = raw(static_cast<uint64_t>(event.size()));
  const std::string record = length + raw(masked_crc(length)) + event + raw(masked_crc(event));
  file_.write_at(size_, std::as_bytes(std::span(record)));
  size_ += static_cast<int64_t>(record.size());
}

}  // namespace graticule
