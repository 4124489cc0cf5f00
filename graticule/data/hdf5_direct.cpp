#include "graticule/data/hdf5_direct.h"

#include <hdf5.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "graticule/core/error.h"
#include "graticule/data/file_bytes.h"

namespace graticule {

namespace {

namespace fs = std::filesystem;

// An identifier of HDF5 with the function that closes it; below 0 when nothing was opened.
class Hdf5Handle {
 public:
  Hdf5Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  ~Hdf5Handle() {
    if (id_ >= 0) close_(id_);
  }
  Hdf5Handle(const Hdf5Handle&) = delete;
  Hdf5Handle& operator=(const Hdf5Handle&) = delete;
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

// The NetCDF library has the file open, and HDF5 opens it again only with the same way to close it, which
// depends on the library's version.
Hdf5Handle open_hdf5(const std::string& file) {
  const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  for (const H5F_close_degree_t degree : {H5F_CLOSE_DEFAULT, H5F_CLOSE_SEMI, H5F_CLOSE_STRONG}) {
    H5Pset_fclose_degree(access, degree);
    const hid_t opened = H5Fopen(file.c_str(), H5F_ACC_RDONLY, access);
    if (opened >= 0) return {opened, H5Fclose};
  }
  fail("netcdf", file, " cannot be opened a second time: copy it again");
}

// The names of the files that hold the values, as the virtual data set has them; none for other arrays.
std::set<std::string> sources_of(const std::string& file, const std::string& array) {
  const Hdf5Handle opened = open_hdf5(file);
  const Hdf5Handle data(H5Dopen2(opened, array.c_str(), H5P_DEFAULT), H5Dclose);
  const Hdf5Handle properties(H5Dget_create_plist(data), H5Pclose);
  std::set<std::string> names;
  size_t count = 0;
  H5Pget_virtual_count(properties, &count);
  for (size_t i = 0; i < count; ++i) {
    const ssize_t length = H5Pget_virtual_filename(properties, i, nullptr, 0);
    if (length < 0) continue;
    std::string name(static_cast<size_t>(length) + 1, '\0');
    H5Pget_virtual_filename(properties, i, name.data(), name.size());
    names.insert(name.substr(0, static_cast<size_t>(length)));
  }
  return names;
}

// The texts that `read` puts into memory, of fixed or of any length; none for another type.
template <class Read>
std::vector<std::string> texts_of(hid_t type, hid_t space, const std::string& where, const Read& read) {
  if (type < 0 || space < 0 || H5Tget_class(type) != H5T_STRING) return {};
  const auto count = static_cast<size_t>(H5Sget_simple_extent_npoints(space));
  std::vector<std::string> texts;
  if (H5Tis_variable_str(type) > 0) {
    std::vector<char*> there(count, nullptr);
    if (read(there.data()) < 0) fail("netcdf", where, " cannot be read: copy it again");
    for (const char* one : there) texts.emplace_back(one ? one : "");
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, there.data());
    return texts;
  }
  const size_t length = H5Tget_size(type);
  std::string letters(count * length, '\0');
  if (read(letters.data()) < 0) fail("netcdf", where, " cannot be read: copy it again");
  for (size_t i = 0; i < count; ++i) {
    const std::string text = letters.substr(i * length, length);
    const size_t end =
        text.substr(0, text.find('\0')).find_last_not_of(' ') + 1;  // padded by zeros or blanks
    texts.push_back(text.substr(0, end));
  }
  return texts;
}

hid_t type_in_memory(NumberType type) {
  switch (type) {
    case NumberType::f4:
      return H5T_NATIVE_FLOAT;
    case NumberType::f8:
      return H5T_NATIVE_DOUBLE;
    case NumberType::i1:
      return H5T_NATIVE_INT8;
    case NumberType::i2:
      return H5T_NATIVE_INT16;
    case NumberType::i4:
      return H5T_NATIVE_INT32;
    case NumberType::i8:
      return H5T_NATIVE_INT64;
    case NumberType::u1:
      return H5T_NATIVE_UINT8;
    case NumberType::u2:
      return H5T_NATIVE_UINT16;
    case NumberType::u4:
      return H5T_NATIVE_UINT32;
    case NumberType::u8:
      return H5T_NATIVE_UINT64;
    case NumberType::f2:
      break;
  }
  return H5I_INVALID_HID;
}

}  // namespace

void require_virtual_sources(const std::string& file, const std::string& array) {
  if (file.starts_with("/vsi"))
    refuse("netcdf", file, ": ", array,
           " is a virtual data set of other files: copy all of them to a local folder");
  const fs::path folder = fs::path(file).parent_path();
  for (const std::string& name : sources_of(file, array)) {
    // "." is the file itself. HDF5 also looks beside the file, for the whole name and for its last part.
    const fs::path path(name);
    if (name == "." || fs::exists(path) || fs::exists(folder / path) || fs::exists(folder / path.filename()))
      continue;
    refuse("netcdf", file, ": ", array, " takes values from ", name,
           ", which does not exist: put it there or beside this file");
  }
}

std::vector<std::string> read_hdf5_texts(const std::string& file, const std::string& array) {
  const Hdf5Handle opened = open_hdf5(file);
  const Hdf5Handle data(H5Dopen2(opened, array.c_str(), H5P_DEFAULT), H5Dclose);
  const Hdf5Handle type(H5Dget_type(data), H5Tclose), space(H5Dget_space(data), H5Sclose);
  return texts_of(type, space, file + ": " + array,
                  [&](void* out) { return H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out); });
}

std::vector<std::string> hdf5_texts_of(const std::string& file, const std::string& object,
                                       const char* attribute) {
  const Hdf5Handle opened = open_hdf5(file);
  const Hdf5Handle there(H5Aopen_by_name(opened, object.c_str(), attribute, H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose);
  if (there < 0) return {};
  const Hdf5Handle type(H5Aget_type(there), H5Tclose), space(H5Aget_space(there), H5Sclose);
  return texts_of(type, space, text(file, ": ", object, ": ", attribute),
                  [&](void* out) { return H5Aread(there, type, out); });
}

std::optional<double> hdf5_number_of(const std::string& file, const std::string& object,
                                     const char* attribute) {
  const Hdf5Handle opened = open_hdf5(file);
  const Hdf5Handle there(H5Aopen_by_name(opened, object.c_str(), attribute, H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose);
  if (there < 0) return std::nullopt;
  const Hdf5Handle type(H5Aget_type(there), H5Tclose), space(H5Aget_space(there), H5Sclose);
  double number = 0;
  if (H5Sget_simple_extent_npoints(space) != 1 || H5Aread(there, H5T_NATIVE_DOUBLE, &number) < 0)
    return std::nullopt;
  return number;
}

std::optional<size_t> offset_of_values(const std::string& file, const std::string& array, NumberType type) {
  const Hdf5Handle opened = open_hdf5(file);
  const Hdf5Handle data(H5Dopen2(opened, array.c_str(), H5P_DEFAULT), H5Dclose);
  const Hdf5Handle properties(H5Dget_create_plist(data), H5Pclose), stored(H5Dget_type(data), H5Tclose);
  const hid_t wanted = type_in_memory(type);
  if (wanted < 0 || H5Pget_layout(properties) != H5D_CONTIGUOUS || H5Pget_external_count(properties) != 0 ||
      H5Tequal(stored, wanted) <= 0)
    return std::nullopt;
  const haddr_t offset = H5Dget_offset(data);  // none before the first value is written
  const size_t size = H5Dget_storage_size(data), there = file_size(file).value_or(0);
  if (offset == HADDR_UNDEF || offset > there || size > there - offset) return std::nullopt;
  return offset;
}

}  // namespace graticule
