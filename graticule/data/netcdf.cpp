#include "graticule/data/netcdf.h"

#include <netcdf.h>

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "graticule/core/error.h"
#include "graticule/data/cf.h"
#include "graticule/data/file_bytes.h"
#include "graticule/data/hdf5_direct.h"
#include "graticule/data/netcdf_array.h"
#include "graticule/data/netcdf_classic.h"

namespace graticule {

namespace {

std::optional<NumberType> number_type(nc_type type) {
  switch (type) {
    case NC_BYTE:
      return NumberType::i1;
    case NC_UBYTE:
      return NumberType::u1;
    case NC_SHORT:
      return NumberType::i2;
    case NC_USHORT:
      return NumberType::u2;
    case NC_INT:
      return NumberType::i4;
    case NC_UINT:
      return NumberType::u4;
    case NC_INT64:
      return NumberType::i8;
    case NC_UINT64:
      return NumberType::u8;
    case NC_FLOAT:
      return NumberType::f4;
    case NC_DOUBLE:
      return NumberType::f8;
    default:
      return std::nullopt;  // text, and types that the file defines
  }
}

// Converts a text to UTF-8. A text that is not UTF-8 is taken as Latin-1: older programs write the degree
// sign so.
std::string as_utf8(const std::string& text) {
  if (is_utf8(text)) return text;
  std::string converted;
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    if (code < 0x80) {
      converted += letter;
    } else {
      converted += static_cast<char>(0xC0 | code >> 6);
      converted += static_cast<char>(0x80 | (code & 0x3F));
    }
  }
  return converted;
}

std::optional<std::string> text_of(int group, int variable, const char* name, nc_type type, size_t length) {
  if (type == NC_CHAR) {
    std::string text(length, '\0');
    if (nc_get_att_text(group, variable, name, text.data()) != NC_NOERR) return std::nullopt;
    return as_utf8(text.substr(0, text.find('\0')));
  }
  if (type != NC_STRING || length == 0) return std::nullopt;
  std::vector<char*> texts(length, nullptr);
  if (nc_get_att_string(group, variable, name, texts.data()) != NC_NOERR) return std::nullopt;
  const std::string first = texts[0] ? texts[0] : "";
  nc_free_string(length, texts.data());
  return as_utf8(first);
}

// All attributes that are texts or numbers. Of a list of texts, only the first is kept.
nlohmann::json attributes_of(int group, int variable) {
  nlohmann::json attributes = nlohmann::json::object();
  int count = 0;
  nc_inq_varnatts(group, variable, &count);
  for (int i = 0; i < count; ++i) {
    std::array<char, NC_MAX_NAME + 1> name{};
    nc_type type = NC_NAT;
    size_t length = 0;
    if (nc_inq_attname(group, variable, i, name.data()) != NC_NOERR ||
        nc_inq_att(group, variable, name.data(), &type, &length) != NC_NOERR)
      continue;
    if (const auto text = text_of(group, variable, name.data(), type, length)) {
      attributes[name.data()] = *text;
    } else if (number_type(type) && length > 0) {
      std::vector<double> values(length);
      if (nc_get_att_double(group, variable, name.data(), values.data()) != NC_NOERR) continue;
      attributes[name.data()] = length == 1 ? nlohmann::json(values[0]) : nlohmann::json(values);
    }
  }
  return attributes;
}

// The library's default fill value, for elements that were never written. Like netCDF4-python and ncdump, it
// is used when the file names no other, except for bytes.
std::optional<double> default_fill(int group, int variable, NumberType type,
                                   const nlohmann::json& attributes) {
  if (size_of(type) == 1 || attributes.contains("_FillValue")) return std::nullopt;
  int no_fill = 0;
  std::array<std::byte, 8> fill{};
  if (nc_inq_var_fill(group, variable, &no_fill, fill.data()) != NC_NOERR || no_fill) return std::nullopt;
  return to_doubles(std::span(fill).first(size_of(type)), type)[0];
}

// The integer type of an enumeration; any other type is returned unchanged.
nc_type base_of(int group, nc_type type) {
  nc_type base = NC_NAT;
  int kind = 0;
  if (type <= NC_MAX_ATOMIC_TYPE) return type;
  const int status = nc_inq_user_type(group, type, nullptr, nullptr, &base, nullptr, &kind);
  return status == NC_NOERR && kind == NC_ENUM ? base : type;
}

std::optional<ArrayHeader> header_of(int group, int variable, const std::string& file) {
  std::array<char, NC_MAX_NAME + 1> name{};
  nc_type stored = NC_NAT;
  int rank = 0;
  require_netcdf(nc_inq_var(group, variable, name.data(), &stored, &rank, nullptr, nullptr), file, "read");
  const std::optional<NumberType> type = number_type(base_of(group, stored));
  if (!type) return std::nullopt;
  ArrayHeader header{name.data(), file, *type, {}, {}, attributes_of(group, variable), {}};
  std::vector<int> dimensions(static_cast<size_t>(rank));
  nc_inq_vardimid(group, variable, dimensions.data());
  for (const int dimension : dimensions) {
    std::array<char, NC_MAX_NAME + 1> of{};
    size_t length = 0;
    require_netcdf(nc_inq_dim(group, dimension, of.data(), &length), file, "read");
    header.dimensions.emplace_back(of.data());
    header.shape.push_back(static_cast<int64_t>(length));
  }
  header.packing = packing_of(header.attributes, *type, file + ": " + header.name);
  if (const auto fill = default_fill(group, variable, *type, header.attributes))
    header.packing.missing.push_back(*fill);
  return header;
}

std::string kind_of(const std::string& start) {
  if (start.empty()) return "an empty file";
  if (start.starts_with("PK")) return "a zip archive inside another, or a remote one: unpack it";
  if (start.starts_with("GRIB")) return "GRIB inside an archive, or remote: copy it to this machine";
  return "no NetCDF file (its first bytes are neither 'CDF' nor HDF5's)";
}

// "NetCDF-3" or "NetCDF-4", by the file's first bytes.
std::string container_of(const std::string& file) {
  const std::optional<size_t> size = file_size(file);
  if (!size) refuse("netcdf", file, " does not exist");
  std::string start(std::min<size_t>(*size, 8), '\0');
  read_range(file, 0, std::as_writable_bytes(std::span(start)));
  if (start.starts_with("CDF")) return "NetCDF-3";
  if (start == "\x89HDF\r\n\x1a\n") return "NetCDF-4";
  refuse("netcdf", file, " is ", kind_of(start));
}

void add_group_names(int group, std::vector<std::string>& names) {
  int count = 0;
  nc_inq_grps(group, &count, nullptr);
  std::vector<int> groups(static_cast<size_t>(count));
  nc_inq_grps(group, &count, groups.data());
  for (const int one : groups) {
    size_t length = 0;
    nc_inq_grpname_full(one, &length, nullptr);
    std::string name(length + 1, '\0');
    nc_inq_grpname_full(one, &length, name.data());
    names.push_back(name.substr(0, length));
    add_group_names(one, names);
  }
}

void add_arrays(int group, const NetcdfPlace& place, bool above, const std::shared_ptr<ChunkCache>& cache,
                Dataset& data) {
  int count = 0;
  require_netcdf(nc_inq_nvars(group, &count), place.path, "read");
  for (int variable = 0; variable < count; ++variable) {
    std::array<char, NC_MAX_NAME + 1> name{};
    nc_inq_varname(group, variable, name.data());
    std::optional<ArrayHeader> header = header_of(group, variable, place.path);
    // A grid mapping may be a variable of text.
    const nlohmann::json attributes = header ? header->attributes : attributes_of(group, variable);
    if (!text_attribute(attributes, "grid_mapping_name").empty()) data.mappings[name.data()] = attributes;
    int rank = 0;
    nc_inq_varndims(group, variable, &rank);
    if (!header && rank == 1 && data.container == "NetCDF-4" && !place.path.starts_with("/vsi")) {
      auto labels = read_hdf5_texts(place.path, path_in_file(place.group, name.data()));
      if (!labels.empty()) data.labels[name.data()] = std::move(labels);
    }
    if (!header && rank > 2)
      data.notes.push_back(text(name.data(), " (", place.path, ") holds no real numbers: not read"));
    if (!header || (above && !describes_axes(*header))) continue;
    NetcdfPlace at = place;
    at.variable = variable;
    data.arrays.push_back(open_netcdf_array(std::move(*header), std::move(at), cache));
  }
}

}  // namespace

Dataset open_netcdf(const std::string& file, const std::string& group,
                    const std::shared_ptr<NetcdfFiles>& files, const std::shared_ptr<ChunkCache>& cache) {
  Dataset data;
  data.path = file;
  data.container = container_of(file);
  if (data.container == "NetCDF-3") check_classic_size(file);
  const auto alone = netcdf_alone();
  const int root = files->open(file), number = open_group(*files, file, group);
  data.attributes = attributes_of(root, NC_GLOBAL);
  data.provenance = text_attribute(data.attributes, "source");
  add_group_names(number, data.groups);
  add_arrays(number, {files, file, group, 0}, false, cache, data);
  for (std::string above = group; above != "/";) {
    const size_t slash = above.rfind('/');
    above = slash == 0 ? "/" : above.substr(0, slash);
    add_arrays(open_group(*files, file, above), {files, file, above, 0}, true, cache, data);
  }
  return data;
}

}  // namespace graticule
