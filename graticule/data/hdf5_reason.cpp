#include "graticule/data/hdf5_reason.h"

#include <hdf5.h>

#include "graticule/core/error.h"

namespace graticule {

namespace {

// The innermost reason of the call that failed last.
std::string last_reason() {
  std::string reason = "unknown";
  const auto innermost = [](unsigned n, const H5E_error2_t* error, void* out) -> herr_t {
    if (n == 0 && error->desc) *static_cast<std::string*>(out) = error->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, &reason);
  return reason;
}

// Why HDF5 cannot read an object or its attributes; empty if it can.
std::string reason_against(hid_t parent, const char* name) {
  const auto nothing = [](hid_t, const char*, const H5A_info_t*, void*) -> herr_t { return 0; };
  const hid_t object = H5Oopen(parent, name, H5P_DEFAULT);
  const bool reads =
      object >= 0 && H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, nothing, nullptr) >= 0;
  std::string reason = reads ? "" : last_reason();
  if (object >= 0) H5Oclose(object);
  return reason;
}

// The first object of the file that HDF5 cannot read, and why; empty if it reads them all.
std::string unreadable_object(hid_t file) {
  std::string found;
  const auto look = [](hid_t group, const char* name, const H5L_info_t*, void* out) -> herr_t {
    const std::string reason = reason_against(group, name);
    if (reason.empty()) return 0;
    *static_cast<std::string*>(out) = text("/", name, ": ", reason);
    return 1;
  };
  if (H5Lvisit(file, H5_INDEX_NAME, H5_ITER_NATIVE, look, &found) < 0) return last_reason();
  return found;
}

}  // namespace

void fail_with_hdf5_reason(const std::string& path) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  std::string reason = file < 0 ? last_reason() : unreadable_object(file);
  if (file >= 0) H5Fclose(file);
  if (reason.empty()) reason = "its structure is not that of NetCDF-4";
  const std::string told = text(path, " cannot be opened: HDF5 says: ", reason, "; ");
  if (reason.find("lock file") != std::string::npos)
    fail("netcdf", told, "another program writes to it: wait for it");
  if (reason.find("bad version number") != std::string::npos) {
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    refuse("netcdf", told, "it was written for newer libraries than HDF5 ", major, ".", minor, ".", release,
           ", which reads it here: write it for older ones (h5py: libver = \"v110\"; h5repack --high=2)");
  }
  fail("netcdf", told, "it is damaged or cut off: copy it again");
}

}  // namespace graticule
