#include "graticule/data/image_source.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <numbers>
#include <numeric>
#include <set>
#include <tuple>

#include "graticule/core/error.h"
#include "graticule/core/token_grid.h"
#include "graticule/data/cf.h"
#include "graticule/data/file_date.h"
#include "graticule/data/image_roles.h"
#include "graticule/data/loader.h"
#include "graticule/data/time.h"

namespace graticule {

namespace {

// A run of samples of one variable in one array.
struct Piece {
  StoredArray* array;
  ImageRoles roles;
  int64_t channel = 0;
  int64_t first = 0, samples = 1, steps = 1;
};

int64_t size_along(const Piece& piece, ImageDimension what) {
  const auto d = piece.roles[what];
  return d ? piece.array->header().shape[*d] : 1;
}

// The coordinates along a dimension: the array with its name, or 0, 1, 2, ...
ImageAxis axis_of(const Dataset& data, const ArrayHeader& header, size_t dimension) {
  const std::string& name = header.dimensions[dimension];
  const int64_t size = header.shape[dimension];
  ImageAxis axis{name, std::vector<double>(static_cast<size_t>(size))};
  std::iota(axis.values.begin(), axis.values.end(), 0.0);
  for (const auto& array : data.arrays) {
    const ArrayHeader& own = array->header();
    if (own.name != name || own.shape != std::vector<int64_t>{size}) continue;
    axis.values = all_values(*array);
    axis.units = text_attribute(own.attributes, "units");
  }
  return axis;
}

class ImageSource : public Source {
 public:
  ImageSource(const std::string& path, std::vector<ImageFile> files, ImageLayout layout,
              const std::vector<std::string>& channels, std::shared_ptr<ChunkCache> cache)
      : files_(std::move(files)), layout_(std::move(layout)), cache_(std::move(cache)) {
    catalog_.path = path;
    catalog_.grid = layout_.grid;
    catalog_.calendar = Calendar::none;
    for (const ImageFile& file : files_) add_file(file, channels);
    if (pieces_.empty()) refuse_empty();
    set_periodic();
    number_samples();
    date_samples();
    make_room();
  }

  const Catalog& catalog() const override { return catalog_; }

  void read(const std::string& variable, int64_t time_index, Span rows, std::span<float> out) override {
    const int64_t Y = catalog_.rows(), X = catalog_.columns();
    GRATICULE_CHECK(rows.begin >= 0 && rows.end <= catalog_.lines(), "rows ", rows.begin, " to ", rows.end);
    GRATICULE_CHECK(static_cast<int64_t>(out.size()) == rows.size() * X, out.size(), " values");
    int64_t sample = 0, step = 0;
    if (!catalog_.variables[catalog_.index_of(variable)].constant) {
      std::tie(sample, step) = lies_.at(static_cast<size_t>(time_index));
    }
    const Piece& piece = piece_of(variable, sample);
    // Some rows of the first layer, all rows of whole layers, some rows of the last layer.
    for (int64_t line = rows.begin; line < rows.end;) {
      const int64_t z = line / Y, y = line % Y;
      const bool whole = y == 0 && rows.end - line >= Y;
      const int64_t layers = whole ? (rows.end - line) / Y : 1;
      const int64_t height = whole ? Y : std::min(Y - y, rows.end - line);
      read_box(piece, sample, step, {z, z + layers}, {y, y + height},
               out.subspan(static_cast<size_t>((line - rows.begin) * X),
                           static_cast<size_t>(layers * height * X)));
      line += layers * height;
    }
  }

  Storage storage_of(const std::string& variable) const override {
    const Piece& piece = pieces_.at(variable).front();
    const ArrayHeader& header = piece.array->header();
    const Chunking chunking = piece.array->chunking();
    Storage storage{piece.array->place()};
    if (chunking.shape.empty()) return storage;
    storage.whole = chunking.whole;
    storage.bytes_of_time = static_cast<int64_t>(size_of(header.type));
    for (size_t d = 0; d < chunking.shape.size(); ++d) {
      const int64_t size = chunking.shape[d];
      const bool numbered =
          d == piece.roles[ImageDimension::sample] || d == piece.roles[ImageDimension::step];
      if (numbered) storage.times *= size;
      storage.bytes_of_time *= numbered ? size : (header.shape[d] + size - 1) / size * size;
    }
    return storage;
  }

 private:
  void add_file(const ImageFile& file, const std::vector<std::string>& channels) {
    const Dataset& data = file.data;
    if (catalog_.container.find(data.container) == std::string::npos)
      catalog_.container += (catalog_.container.empty() ? "" : ", ") + data.container;
    if (catalog_.provenance.empty()) catalog_.provenance = data.provenance;
    catalog_.notes.insert(catalog_.notes.end(), data.notes.begin(), data.notes.end());
    std::vector<std::pair<StoredArray*, ImageRoles>> found;
    for (const auto& array : data.arrays) {
      const ArrayHeader& header = array->header();
      const std::optional<ImageRoles> roles = image_roles(header, layout_);
      if (!roles) continue;
      check_grid(data, header, *roles);
      found.emplace_back(array.get(), *roles);
    }
    const bool several = std::any_of(found.begin(), found.end(),
                                     [](const auto& one) { return one.second[ImageDimension::sample]; });
    for (const auto& [array, roles] : found) add_array(*array, roles, several, channels);
  }

  // `several`: the file holds several samples, so an array without samples is the same for all of them.
  void add_array(StoredArray& array, const ImageRoles& roles, bool several,
                 const std::vector<std::string>& channels) {
    const ArrayHeader& header = array.header();
    Piece piece{&array, roles};
    piece.samples = size_along(piece, ImageDimension::sample);
    piece.steps = size_along(piece, ImageDimension::step);
    const int64_t count = size_along(piece, ImageDimension::channel);
    if (!channels.empty() && roles[ImageDimension::channel] && std::ssize(channels) != count)
      refuse("source", header.file, ": ", header.name, " has ", count,
             " channels, but data.layout.names has ", channels.size(), " names: give one name for each");
    for (; piece.channel < count; ++piece.channel) {
      const std::string name = !roles[ImageDimension::channel] ? header.name
                               : !channels.empty()             ? channels[static_cast<size_t>(piece.channel)]
                                                               : text(header.name, "_", piece.channel);
      std::vector<Piece>& all = pieces_[name];
      if (all.empty()) {
        catalog_.variables.push_back({name, text_attribute(header.attributes, "units"),
                                      text_attribute(header.attributes, "long_name"), "", false});
      } else {
        check_steps(name, all.back(), piece);
        check_depth(name, all.back(), piece);
        if (several && !roles[ImageDimension::sample] && !roles[ImageDimension::step]) {
          check_same(name, all.front(), piece);
          continue;
        }
        piece.first = all.back().first + all.back().samples;
      }
      all.push_back(piece);
    }
  }

  static void check_steps(const std::string& name, const Piece& before, const Piece& now) {
    if (before.steps == now.steps) return;
    refuse("source", name, " has ", before.steps, " steps in ", before.array->header().file, " and ",
           now.steps, " in ", now.array->header().file,
           ": give trajectories of one length, or cut the longer ones");
  }

  // A constant is given in each file: all must agree.
  void check_same(const std::string& name, const Piece& before, const Piece& now) {
    std::vector<float> one(static_cast<size_t>(catalog_.lines() * catalog_.columns())), other(one.size());
    const Span layers{0, catalog_.layers()}, rows{0, catalog_.rows()};
    read_box(before, before.first, 0, layers, rows, one);
    read_box(now, now.first, 0, layers, rows, other);
    if (std::memcmp(one.data(), other.data(), one.size() * sizeof(float)) == 0) return;
    refuse("source", name, " is the same for all samples of a file, but ", before.array->header().file,
           " and ", now.array->header().file,
           " hold other values: give it for each sample, or leave one of them out");
  }

  // 8 and 16 bits of one variable mostly count in other units, and no file says so.
  static void check_depth(const std::string& name, const Piece& before, const Piece& now) {
    const ArrayHeader &a = before.array->header(), &b = now.array->header();
    const auto whole = [](const ArrayHeader& header) {
      const Packing& packing = header.packing;
      return header.type != NumberType::f2 && header.type != NumberType::f4 &&
             header.type != NumberType::f8 && packing.scale == 1 && packing.offset == 0;
    };
    if (size_of(a.type) == size_of(b.type) || !whole(a) || !whole(b)) return;
    refuse("source", name, " has ", 8 * size_of(a.type), " bits in ", a.file, " and ", 8 * size_of(b.type),
           " in ", b.file, ": write all images with one depth");
  }

  // All images lie on one grid: that of the first.
  void check_grid(const Dataset& data, const ArrayHeader& header, const ImageRoles& roles) {
    std::vector<int64_t> sizes;
    for (const ImageDimension what : grid_dimensions(layout_.grid))
      sizes.push_back(header.shape[*roles[what]]);
    if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end())
      refuse("source", header.file, ": ", header.name, " is empty (", sizes_in_words(sizes),
             "): write it anew, or leave it out");
    const std::string place = text(header.name, " in ", header.file);
    if (sizes_.empty()) {
      sizes_ = sizes, first_ = place;
      for (const ImageDimension what : grid_dimensions(layout_.grid))
        catalog_.axes.push_back(axis_of(data, header, *roles[what]));
      if (text_attribute(data.attributes, "grid_type") == "spherical") weigh_rows();
    }
    if (sizes == sizes_) return;
    refuse("source", place, " is ", sizes_in_words(sizes), ", but ", first_, " is ", sizes_in_words(sizes_),
           ": bring all images to one size, or give those of one size");
  }

  // The rows of a plane that is a sphere (The Well): their axis `theta` is the angle from the north pole, in radians.
  void weigh_rows() {
    const ImageAxis& rows = catalog_.axes.front();
    if (layout_.grid != GridKind::plane || rows.name != "theta") return;
    std::vector<double> latitudes;
    for (const double theta : rows.values) latitudes.push_back(90 - theta * 180 / std::numbers::pi);
    const auto [south, north] = std::minmax(latitudes.front(), latitudes.back());
    const bool rises = latitudes.front() < latitudes.back();
    const auto turns = [&](double a, double b) { return rises ? a >= b : a <= b; };
    if (std::adjacent_find(latitudes.begin(), latitudes.end(), turns) != latitudes.end() || south < -90.001 ||
        north > 90.001)
      refuse("source", first_,
             " is on a sphere, but theta has angles out of order or beyond 0 to pi: correct it");
    catalog_.row_areas = latitude_weights(latitudes);
  }

  void set_periodic() {
    const size_t missing = choices_of<GridAxis>.size() - catalog_.axes.size();  // a plane has no layers
    for (const std::string& word : layout_.periodic)
      catalog_.axes.at(static_cast<size_t>(*value_named<GridAxis>(word)) - missing).periodic = true;
  }

  void number_samples() {
    int64_t samples = 1, steps = 1;
    std::string longest = catalog_.variables.front().name;
    for (const auto& [name, all] : pieces_) {
      const int64_t count = all.back().first + all.back().samples;
      if (count * all.back().steps > samples * steps)
        samples = count, steps = all.back().steps, longest = name;
    }
    for (Variable& variable : catalog_.variables) {
      const std::vector<Piece>& all = pieces_.at(variable.name);
      const Piece& last = all.back();
      const int64_t count = last.first + last.samples;
      variable.constant = all.size() == 1 && !last.roles[ImageDimension::sample] &&
                          !last.roles[ImageDimension::step] && samples * steps > 1;
      if (!variable.constant && (count != samples || last.steps != steps))
        refuse("source", catalog_.path, ": ", variable.name, " has ", count, " samples of ", last.steps,
               " steps, ", longest, " has ", samples, " of ", steps,
               ": give each sample of every variable, in the same order");
    }
    for (int64_t i = 0; i < samples; ++i) {
      for (int64_t k = 0; k < steps; ++k) {
        catalog_.times.push_back(time_of_sample(i, k));
        lies_.emplace_back(i, k);
      }
    }
    if (std::ssize(pieces_.at(longest)) != samples) return;  // a file is not one sample
    for (const ImageFile& file : files_) {
      if (std::ssize(catalog_.samples) < samples) catalog_.samples.push_back(file.name);
    }
  }

  // Replaces the numbers of samples by the dates in the names of their files.
  void date_samples() {
    if (layout_.date_pattern.empty()) return;
    if (catalog_.samples.size() != files_.size() || catalog_.times.size() != files_.size())
      refuse("source", catalog_.path, ": data.date_pattern gives a date to each of ", files_.size(),
             " files, but they hold ", catalog_.times.size(),
             " samples or steps: leave it out, or give files of one image with all variables");
    std::vector<std::pair<int64_t, int64_t>> dated;
    for (int64_t i = 0; i < std::ssize(files_); ++i)
      dated.emplace_back(date_in_name(catalog_.samples[static_cast<size_t>(i)], layout_.date_pattern), i);
    std::sort(dated.begin(), dated.end());
    const auto name = [&](size_t i) { return catalog_.samples[static_cast<size_t>(dated[i].second)]; };
    for (size_t i = 0; i < dated.size(); ++i) {
      if (i > 0 && dated[i].first == dated[i - 1].first)
        refuse("source", catalog_.path, ": ", name(i - 1), " and ", name(i), " have one date, ",
               format_time(dated[i].first), ": correct data.date_pattern, or leave one of them out");
      catalog_.times[i] = dated[i].first, lies_[i].first = dated[i].second;
    }
    catalog_.calendar = Calendar::gregorian;
    catalog_.samples.clear();
  }

  const Piece& piece_of(const std::string& variable, int64_t sample) const {
    const std::vector<Piece>& all = pieces_.at(variable);
    return *std::prev(
        std::upper_bound(all.begin(), all.end(), sample,
                         [](int64_t wanted, const Piece& piece) { return wanted < piece.first; }));
  }

  void read_box(const Piece& piece, int64_t sample, int64_t step, Span layers, Span rows,
                std::span<float> out) {
    const ArrayHeader& header = piece.array->header();
    std::vector<Span> box(header.shape.size());
    const auto take = [&](ImageDimension what, Span span) {
      if (piece.roles[what]) box[*piece.roles[what]] = span;
    };
    take(ImageDimension::sample, {sample - piece.first, sample - piece.first + 1});
    take(ImageDimension::step, {step, step + 1});
    take(ImageDimension::channel, {piece.channel, piece.channel + 1});
    take(ImageDimension::layer, layers), take(ImageDimension::row, rows);
    take(ImageDimension::column, {0, catalog_.columns()});
    stored_.resize(out.size() * size_of(header.type));
    piece.array->read(box, stored_);
    const std::vector<ImageDimension> order = grid_dimensions(layout_.grid);
    const bool in_order = std::is_sorted(order.begin(), order.end(), [&](ImageDimension a, ImageDimension b) {
      return *piece.roles[a] < *piece.roles[b];
    });
    if (in_order) return unpack(stored_, header.type, header.packing, out);
    turned_.resize(out.size());
    unpack(stored_, header.type, header.packing, turned_);
    // Strides of the box as it was read, by layer, row and column.
    const auto stride = [&](ImageDimension what) {
      int64_t product = 1;
      for (size_t d = piece.roles[what].value_or(box.size()) + 1; d < box.size(); ++d)
        product *= box[d].size();
      return product;
    };
    const int64_t of_layer = stride(ImageDimension::layer), of_row = stride(ImageDimension::row),
                  of_column = stride(ImageDimension::column);
    float* next = out.data();
    for (int64_t z = 0; z < layers.size(); ++z) {
      for (int64_t y = 0; y < rows.size(); ++y) {
        for (int64_t x = 0; x < catalog_.columns(); ++x)
          *next++ = turned_[static_cast<size_t>(z * of_layer + y * of_row + x * of_column)];
      }
    }
  }

  [[noreturn]] void refuse_empty() const {
    refuse("source", catalog_.path, " holds no array with the dimensions of a ", name_of(layout_.grid), " (",
           layout_.grid == GridKind::volume ? "layers, rows, columns" : "rows, columns",
           "): name another file, or set data.grid");
  }

  // Sizes the cache for the chunks of one sample or step, whose variables and rows are read one after another.
  void make_room() {
    std::set<std::string> counted;
    int64_t bytes = 0;
    for (const Variable& variable : catalog_.variables) {
      const Storage storage = storage_of(variable.name);
      if (storage.whole && counted.insert(storage.array).second) bytes += storage.bytes_of_time;
    }
    cache_->make_room(static_cast<size_t>(bytes));
  }

  std::vector<ImageFile> files_;
  ImageLayout layout_;
  std::shared_ptr<ChunkCache> cache_;
  Catalog catalog_;
  std::vector<int64_t> sizes_;                        // of the grid
  std::string first_;                                 // where they were seen first
  std::map<std::string, std::vector<Piece>> pieces_;  // by variable, in the order of samples
  std::vector<std::pair<int64_t, int64_t>> lies_;     // sample and step, by time
  std::vector<std::byte> stored_;
  std::vector<float> turned_;
};

}  // namespace

std::unique_ptr<Source> make_image_source(const std::string& path, std::vector<ImageFile> files,
                                          const ImageLayout& layout, const std::vector<std::string>& channels,
                                          std::shared_ptr<ChunkCache> cache) {
  return std::make_unique<ImageSource>(path, std::move(files), layout, channels, std::move(cache));
}

}  // namespace graticule
