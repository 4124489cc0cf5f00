#include "graticule/data/memory_array.h"

#include <algorithm>

namespace graticule {

namespace {

class MemoryArray : public StoredArray {
 public:
  MemoryArray(ArrayHeader header, std::vector<double> values)
      : StoredArray(std::move(header)), values_(std::move(values)) {}
  void read(std::span<const Span> box, std::span<std::byte> out) override {
    const auto part =
        std::as_bytes(std::span(values_)).subspan(static_cast<size_t>(box[0].begin) * sizeof(double));
    std::copy_n(part.begin(), out.size(), out.begin());
  }

 private:
  std::vector<double> values_;
};

}  // namespace

std::vector<double> even_places(int64_t count, double start, double step, double shift) {
  std::vector<double> places;
  for (int64_t i = 0; i < count; ++i) places.push_back(start + (static_cast<double>(i) + shift) * step);
  return places;
}

void add_axis(Dataset& data, const std::string& name, const nlohmann::json& attributes,
              std::vector<double> values, const std::string& dimension) {
  ArrayHeader header;
  header.name = name;
  header.file = data.path;
  header.type = NumberType::f8;
  header.dimensions = {dimension.empty() ? name : dimension};
  header.shape = {static_cast<int64_t>(values.size())};
  header.attributes = attributes;
  data.arrays.push_back(std::make_unique<MemoryArray>(std::move(header), std::move(values)));
}

}  // namespace graticule
