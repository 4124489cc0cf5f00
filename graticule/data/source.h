// A source is a data set in one canonical form, whatever its file format: fp32 fields in physical units on one
// grid, NaN where missing. Everything above this file reads data through it. The grid is a sphere of latitudes
// and longitudes (south first, eastwards from the smallest longitude in [0, 360) or from a region's west edge), or
// a list of cells (core/cells.h), or a plane or volume (image_source.h), all in the order of their file.
//
// Variables are named `name` (surface, static) or `name@level` in hPa (`temperature@850`), by WeatherBench's
// long names. Short names of the Climate Data Store are translated (t -> temperature, t2m -> 2m_temperature).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graticule/core/cells.h"
#include "graticule/core/channel_layout.h"
#include "graticule/core/image_layout.h"
#include "graticule/core/span.h"
#include "graticule/data/calendar.h"

namespace graticule {

struct Variable {
  std::string name;           ///< canonical, with @level
  std::string units;          ///< as the file gives them; "" when absent
  std::string long_name;      ///< likewise
  std::string standard_name;  ///< likewise
  bool constant = false;      ///< has no time axis (orography, land_sea_mask)
};

/// An axis of a plane or volume.
struct ImageAxis {
  std::string name;            ///< of the dimension in the file
  std::vector<double> values;  ///< coordinates; 0, 1, 2, ... where the file has none
  std::string units = {};      ///< of the values; "" when the file names none
  bool periodic = false;       ///< the last pixel is a neighbour of the first
};

/// The contents of a source, read once when it is opened.
struct Catalog {
  std::string path;                ///< as the user gave it
  std::string container;           ///< "NetCDF-4", "Zarr 2", "synthetic", ...
  std::vector<double> latitudes;   ///< degrees north, ascending (Y); of a sphere, as longitudes
  std::vector<double> longitudes;  ///< degrees east, ascending (X); west of 0 negative in a region across 0
  GridKind grid = GridKind::sphere;
  std::shared_ptr<const Cells> cells = {};  ///< of the grid cells alone: its rows, of one pixel each
  std::vector<ImageAxis> axes;              ///< of a plane: rows, columns; of a volume: layers, rows, columns
  std::vector<double> row_areas =
      {};  ///< of a plane that is a sphere: of a pixel of each row, mean 1; else empty
  /// Seconds since 1970-01-01 UTC of `calendar`, ascending. Samples without dates are numbered (time.h).
  std::vector<int64_t> times;
  Calendar calendar = Calendar::gregorian;
  std::vector<Variable> variables;
  std::vector<std::string> samples;  ///< names of samples without dates, by number; empty: they have none
  std::string provenance;            ///< the file's attribute `source`; synthetic data say so
  bool latitude_descending = false;  ///< order in the file; forecasts are written in the same order
  std::vector<std::string> notes;    ///< what was left out, or is not taken as it seems, and why

  int64_t layers() const;   ///< Z; 1 unless the grid is a volume
  int64_t rows() const;     ///< Y
  int64_t columns() const;  ///< X
  /// The rows of all layers: a field is lines() x columns().
  int64_t lines() const { return layers() * rows(); }
  /// Where rows and columns lie, or each cell.
  const std::vector<double>& places_north() const { return cells ? cells->latitudes : latitudes; }
  const std::vector<double>& places_east() const { return cells ? cells->longitudes : longitudes; }
  /// The index of a variable. Refuses an unknown name, lists what exists and names the nearest.
  size_t index_of(const std::string& name) const;
  /// The index of a time; nothing when there is no such time.
  std::optional<int64_t> index_of_time(int64_t time) const;
};

/// How a variable is stored in its file, for code that chooses the order of reading (reading_order.h).
struct Storage {
  std::string array;  ///< variables with the same text are levels of one array and share chunks
  int64_t times = 1;  ///< in a chunk
  int64_t rows = 0;   ///< of the grid in a chunk; 0: all, or it does not matter
  /// Decoded bytes of all chunks that contain one time of the array, all levels.
  int64_t bytes_of_time = 0;
  bool whole = false;  ///< reading a part decodes all of a chunk
};

class Source {
 public:
  virtual ~Source() = default;
  /// The contents, fixed when the source was opened.
  virtual const Catalog& catalog() const = 0;
  /// How a variable is stored. The default: nothing is shared between variables or times.
  virtual Storage storage_of(const std::string& variable) const { return {variable}; }
  /// Reads rows [rows.begin, rows.end) of one variable at one time index into `out`: row-major, rows.size() *
  /// columns() values. The rows of a volume are those of all its layers, layer by layer. Constants ignore the time index. Not safe for several threads at
  /// a time.
  virtual void read(const std::string& variable, int64_t time_index, Span rows, std::span<float> out) = 0;
};

/// Refuses values that were read and cannot be used: `count` of `total` values are of this `kind` ("missing",
/// "infinite"). The message names variable, time and `way_out`.
[[noreturn]] void refuse_values(const Catalog& catalog, const std::string& variable, int64_t time_index,
                                int64_t count, size_t total, const char* kind, const char* way_out);

constexpr const char* way_out_of_infinite =
    "write NaN in their place (with data.missing = \"mean\" they then count nothing), or leave the variable "
    "out";

/// Opens a Zarr folder (format 2 or 3), a NetCDF file, a group of one (FILE.nc/a/b), a folder or glob pattern
/// of NetCDF files, several of these joined by commas, or "synthetic:..." (synthetic.h). Paths may be remote
/// (gs://, s3://, https://, /vsi...). `layout`: what a file of one array for all variables lacks. Refuses
/// what it cannot read and says what it found there.
///
/// With images.grid = plane or volume the same containers, and .npy, TIFF, PNG, JPEG and NIfTI files, are read as images (image_source.h); of a
/// folder all files below it.
std::unique_ptr<Source> open_source(const std::string& path, const ChannelLayout& layout = {},
                                    const ImageLayout& images = {});

}  // namespace graticule
