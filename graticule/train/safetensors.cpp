#include "graticule/train/safetensors.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "graticule/core/crc32c.h"
#include "graticule/core/error.h"
#include "graticule/train/checksum.h"

namespace graticule {

namespace {

using Json = nlohmann::ordered_json;
static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr auto where = "safetensors";
constexpr int64_t length_bytes = 8;
constexpr int64_t header_limit = 100'000'000;  // the limit of the reference reader

struct DtypeName {
  at::ScalarType dtype;
  const char* name;
};
constexpr std::array<DtypeName, 10> dtypes = {{{at::kDouble, "F64"},
                                               {at::kFloat, "F32"},
                                               {at::kHalf, "F16"},
                                               {at::kBFloat16, "BF16"},
                                               {at::kLong, "I64"},
                                               {at::kInt, "I32"},
                                               {at::kShort, "I16"},
                                               {at::kChar, "I8"},
                                               {at::kByte, "U8"},
                                               {at::kBool, "BOOL"}}};

std::string name_of_dtype(at::ScalarType dtype) {
  for (const auto& known : dtypes) {
    if (known.dtype == dtype) return known.name;
  }
  refuse(where, "a tensor of ", at::toString(dtype),
         " cannot be stored: F64, F32, F16, BF16, I64 to I8, U8 and BOOL can");
}

std::optional<at::ScalarType> dtype_named(const std::string& name) {
  for (const auto& known : dtypes) {
    if (name == known.name) return known.dtype;
  }
  return std::nullopt;
}

/// The header's length and the header, padded with spaces so that the data begin at a multiple of 8.
std::string header_bytes(const Json& header) {
  std::string json = header.dump();
  json.resize((json.size() + 7) / 8 * 8, ' ');
  const uint64_t length = json.size();
  std::string bytes(length_bytes, '\0');
  std::memcpy(bytes.data(), &length, length_bytes);
  return bytes + json;
}

Json read_header(const File& file, int64_t& data_begin) {
  const int64_t size = file.size();
  uint64_t length = 0;
  if (size >= length_bytes) file.read_at(0, std::as_writable_bytes(std::span(&length, 1)));
  if (size < length_bytes || length > static_cast<uint64_t>(std::min(size - length_bytes, header_limit))) {
    file.damaged(text("is not a safetensors file, or is truncated: ", size, " bytes cannot hold a header of ",
                      length, " bytes; copy it again"));
  }
  std::string json(length, '\0');
  file.read_at(length_bytes, std::as_writable_bytes(std::span(json)));
  Json header = Json::parse(json, nullptr, false);
  if (!header.is_object())
    file.damaged("its header is not a JSON object: not a safetensors file, or damaged");
  data_begin = length_bytes + static_cast<int64_t>(length);
  return header;
}

/// A tensor of the file, and its range of bytes after the header.
struct Located {
  TensorEntry entry;
  Span bytes;
};

// Whole numbers below 2^63. Others pass get<int64_t>() too: it cuts fractions, and wraps or overflows.
std::vector<int64_t> whole_numbers(const Json& form) {
  std::vector<int64_t> numbers;
  for (const Json& number : form.get<std::vector<Json>>()) {
    const bool fits = number.is_number_integer() &&
                      (!number.is_number_unsigned() ||
                       number.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
    if (!fits) throw Json::type_error::create(302, "no whole number", &number);
    numbers.push_back(number.get<int64_t>());
  }
  return numbers;
}

Located parse_entry(const File& file, const std::string& name, const Json& form) {
  try {
    const auto dtype = dtype_named(form.at("dtype").get<std::string>());
    if (!dtype) file.damaged(text("tensor ", name, " has the unknown dtype ", form.at("dtype").dump()));
    const std::vector<int64_t> offsets = whole_numbers(form.at("data_offsets"));
    if (offsets.size() != 2) file.damaged(text("tensor ", name, ": data_offsets are not two: ", form.dump()));
    const int64_t begin = offsets[0], end = offsets[1];
    Located tensor = {{name, *dtype, whole_numbers(form.at("shape"))}, {begin, end}};
    if (begin < 0 || end < begin || tensor.entry.bytes() != end - begin) {
      file.damaged(text("tensor ", name, ": dtype, shape and data_offsets disagree: ", form.dump()));
    }
    return tensor;
  } catch (const nlohmann::json::exception&) {
    file.damaged(
        text("the header's entry of tensor ", name, " is not {dtype, shape, data_offsets}: ", form.dump()));
  }
}

Metadata parse_metadata(const File& file, const Json& form) {
  try {
    return form.get<Metadata>();
  } catch (const nlohmann::json::exception&) {
    file.damaged("__metadata__ in its header is not an object of strings");
  }
}

std::span<const std::byte> bytes_of(const at::Tensor& contiguous) {
  return {static_cast<const std::byte*>(contiguous.const_data_ptr()), contiguous.nbytes()};
}

}  // namespace

int64_t TensorEntry::bytes() const {
  auto product = static_cast<int64_t>(at::elementSize(dtype));
  bool fits = true;
  for (const int64_t size : shape)
    fits = fits && size >= 0 && !__builtin_mul_overflow(product, size, &product);
  return fits ? product : -1;
}

int64_t TensorEntry::elements() const {
  const int64_t all = bytes();
  return all < 0 ? -1 : all / static_cast<int64_t>(at::elementSize(dtype));
}

SafetensorsWriter::SafetensorsWriter(const std::string& path, std::vector<TensorEntry> entries,
                                     const Metadata& metadata)
    : file_(File::create(path, where)) {
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return at::elementSize(a.dtype) > at::elementSize(b.dtype);
  });
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  for (auto& entry : entries) {
    const int64_t begin = bytes_left_;
    bytes_left_ += entry.bytes();
    header[entry.name] = {{"dtype", name_of_dtype(entry.dtype)},
                          {"shape", entry.shape},
                          {"data_offsets", {begin, bytes_left_}}};
    const std::string name = entry.name;
    const bool fresh = name != "__metadata__" && slots_.emplace(name, Slot{std::move(entry), begin}).second;
    if (!fresh) refuse(where, "tensor ", name, " cannot be declared: each name once, and not __metadata__");
  }
  const std::string bytes = header_bytes(header);
  for (auto& [name, slot] : slots_) slot.offset += static_cast<int64_t>(bytes.size());
  file_.write_at(0, std::as_bytes(std::span(bytes)));
  crc_ = crc32c(std::as_bytes(std::span(bytes)));
  in_order_ = static_cast<int64_t>(bytes.size());
}

void SafetensorsWriter::write(const std::string& name, const at::Tensor& values) {
  const auto slot = slots_.find(name);
  GRATICULE_CHECK(slot != slots_.end() && values.sizes() == slot->second.entry.shape, name, " of shape ",
                  values.sizes());
  write_elements(name, 0, values);
}

void SafetensorsWriter::write_elements(const std::string& name, int64_t begin, const at::Tensor& values) {
  const auto found = slots_.find(name);
  GRATICULE_CHECK(found != slots_.end(), "tensor ", name, " was not declared");
  const auto& [entry, offset] = found->second;
  GRATICULE_CHECK(
      values.scalar_type() == entry.dtype && begin >= 0 && begin + values.numel() <= entry.elements(), name);
  const at::Tensor bytes = values.detach().to(at::kCPU).contiguous();
  const int64_t place = offset + begin * static_cast<int64_t>(bytes.element_size());
  file_.write_at(place, bytes_of(bytes));
  bytes_left_ -= static_cast<int64_t>(bytes.nbytes());
  if (place != in_order_) return;
  crc_ = crc32c(bytes_of(bytes), crc_);
  in_order_ += static_cast<int64_t>(bytes.nbytes());
}

std::string SafetensorsWriter::checksum() const {
  GRATICULE_CHECK(bytes_left_ == 0 && in_order_ == file_.size(), file_.path());
  return checksum_text(crc_);
}

void SafetensorsWriter::close() {
  GRATICULE_CHECK(bytes_left_ == 0, file_.path(), ": ", bytes_left_,
                  " bytes of its tensors were not written");
  file_.sync();
}

SafetensorsReader::SafetensorsReader(const std::string& path) : file_(File::open(path, where)) {
  int64_t data_begin = 0;
  const Json header = read_header(file_, data_begin);
  std::vector<Located> found;
  for (const auto& [name, form] : header.items()) {
    if (name == "__metadata__") {
      metadata_ = parse_metadata(file_, form);
    } else {
      found.push_back(parse_entry(file_, name, form));
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const Located& a, const Located& b) {
    return std::pair(a.bytes.begin, a.bytes.end) < std::pair(b.bytes.begin, b.bytes.end);
  });
  int64_t end = 0;
  for (auto& [entry, bytes] : found) {
    if (bytes.begin != end)
      file_.damaged(text("the data of tensor ", entry.name, " overlaps another's or leaves a gap"));
    end = bytes.end;
    positions_[entry.name] = entries_.size();
    offsets_.push_back(data_begin + bytes.begin);
    entries_.push_back(std::move(entry));
  }
  if (data_begin + end != file_.size()) {
    file_.damaged(text("has ", file_.size(), " bytes, its header says ", data_begin + end,
                       ": truncated or damaged, copy it again"));
  }
}

size_t SafetensorsReader::position(const std::string& name) const {
  const auto found = positions_.find(name);
  if (found != positions_.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& entry : entries_) known.push_back(entry.name);
  const std::string nearest = nearest_name(name, known);
  file_.damaged(text("has no tensor ", name,
                     nearest.empty() ? "; it has none at all" : "; the nearest of its names is " + nearest));
}

const TensorEntry& SafetensorsReader::entry(const std::string& name) const {
  return entries_[position(name)];
}

at::Tensor SafetensorsReader::read(const std::string& name) const {
  const TensorEntry& known = entry(name);
  return read_elements(name, {0, known.elements()}).view(known.shape);
}

at::Tensor SafetensorsReader::read(const std::string& name, at::IntArrayRef shape) const {
  const TensorEntry& known = entry(name);
  if (shape != at::IntArrayRef(known.shape)) {
    file_.damaged(text("tensor ", name, " has shape ", at::IntArrayRef(known.shape), ", the model needs ",
                       shape, ": a file of another model"));
  }
  return read(name);
}

at::Tensor SafetensorsReader::read_elements(const std::string& name, Span elements) const {
  const size_t at_position = position(name);
  const TensorEntry& known = entries_[at_position];
  GRATICULE_CHECK(0 <= elements.begin && elements.begin <= elements.end && elements.end <= known.elements(),
                  name);
  at::Tensor values = at::empty({elements.size()}, known.dtype);
  file_.read_at(offsets_[at_position] + elements.begin * static_cast<int64_t>(values.element_size()),
                {static_cast<std::byte*>(values.data_ptr()), values.nbytes()});
  return values;
}

}  // namespace graticule
