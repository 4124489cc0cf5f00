// The header's grammar: NetCDF Classic Format Specification (Unidata), all numbers big-endian.
#include "graticule/data/netcdf_classic.h"

#include <algorithm>
#include <vector>

#include "graticule/core/error.h"
#include "graticule/data/file_bytes.h"

namespace graticule {

namespace {

class Header {
 public:
  explicit Header(const std::string& file) : file_(file) {
    const size_t size = file_size(file).value_or(0);
    // Headers are small; one above 16 MiB is not checked.
    bytes_ = Bytes::of_size(std::min<size_t>(size, size_t{16} << 20));
    read_range(file, 0, bytes_.span());
    cut_ = bytes_.size < size;
  }

  uint64_t number(size_t width) {
    if (width > bytes_.size - at_) cut_off();
    uint64_t value = 0;
    for (size_t i = 0; i < width; ++i) value = value << 8 | static_cast<uint64_t>(bytes_.data[at_ + i]);
    at_ += width;
    return value;
  }

  void skip(uint64_t size) {
    const uint64_t padded = (size + 3) / 4 * 4;
    if (padded > bytes_.size - at_) cut_off();
    at_ += padded;
  }

  [[noreturn]] void cut_off() const {
    fail("netcdf", file_,
         cut_ ? " has a header above 16 MiB" : " is cut off inside its header: copy it again");
  }

 private:
  std::string file_;
  Bytes bytes_;
  size_t at_ = 0;
  bool cut_ = false;
};

uint64_t width_of_type(uint64_t type) {
  constexpr uint64_t widths[] = {0, 1, 1, 2, 4, 4, 8, 1, 2, 4, 8, 8};
  return type < std::size(widths) ? widths[type] : 0;
}

void skip_attributes(Header& header, size_t count_width) {
  header.number(4);
  for (uint64_t n = header.number(count_width); n > 0; --n) {
    header.skip(header.number(count_width));  // name
    const uint64_t width = width_of_type(header.number(4));
    header.skip(width * header.number(count_width));
  }
}

}  // namespace

void check_classic_size(const std::string& file) {
  Header header(file);
  const uint64_t version = header.number(4) & 255;
  const size_t count_width = version == 5 ? 8 : 4, offset_width = version == 1 ? 4 : 8;
  const uint64_t records = header.number(count_width);
  if (records == (version == 5 ? UINT64_MAX : UINT32_MAX)) {
    refuse("netcdf", file,
           " does not say how many records it holds: it was written as a stream and never closed; "
           "write it again, or copy it with a program that counts them (nccopy)");
  }
  header.number(4);
  std::vector<uint64_t> dimensions(std::min<uint64_t>(header.number(count_width), 65536));
  for (uint64_t& size : dimensions) {
    header.skip(header.number(count_width));
    size = header.number(count_width);
  }
  skip_attributes(header, count_width);
  header.number(4);
  uint64_t end = 0, record_bytes = 0, record_variables = 0, first_record = UINT64_MAX, last_width = 0;
  for (uint64_t n = header.number(count_width); n > 0; --n) {
    header.skip(header.number(count_width));
    bool record = false;
    uint64_t elements = 1;
    for (uint64_t rank = header.number(count_width), d = 0; d < rank; ++d) {
      const uint64_t id = header.number(count_width);
      if (id >= dimensions.size()) header.cut_off();
      if (dimensions[id] == 0 && d == 0)
        record = true;
      else
        elements *= dimensions[id];
    }
    skip_attributes(header, count_width);
    const uint64_t bytes = elements * width_of_type(header.number(4));
    header.number(count_width);  // vsize is unreliable above 4 GB, so the size is computed here
    const uint64_t begin = header.number(offset_width);
    if (record) {
      record_bytes += (bytes + 3) / 4 * 4;
      last_width = bytes;
      first_record = std::min(first_record, begin);
      ++record_variables;
    } else {
      end = std::max(end, begin + bytes);
    }
  }
  // With one record variable only, its records are not padded.
  if (record_variables == 1) record_bytes = last_width;
  if (record_variables > 0 && records > 0) {
    end = std::max(end, first_record + (records - 1) * record_bytes +
                            (record_variables == 1 ? last_width : record_bytes - 3));
  }
  const uint64_t size = file_size(file).value_or(0);
  if (size < end) fail("netcdf", file, " is cut off: ", size, " bytes instead of ", end, ": copy it again");
}

}  // namespace graticule
