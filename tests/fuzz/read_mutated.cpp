// Opens and reads damaged copies of a data set, thousands of times, to find input that makes the readers crash,
// hang or fail without a message of ours. It is built with sanitizers only (tests/CMakeLists.txt); tools/fuzz.sh
// makes the data sets and runs it.
//
//   read_mutated FOLDER NAME GRID MINUTES [FIRST]
//
// FOLDER holds a valid data set, NAME is the part of it to open ("." for the folder), as fields on a sphere or as images
// on a plane or in a volume (GRID). Seed FIRST (0), FIRST + 1, ...
// each changes one file of a copy. Whatever is found stops the program, which then prints the seed. With MINUTES 0
// it runs the seed FIRST alone, and leaves the changed copy.
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "graticule/data/source.h"
#include "tests/fuzz/mutation.h"

namespace {

namespace fs = std::filesystem;
using graticule::Random;

uint64_t seed = 0;

void tell_seed() { std::fprintf(stderr, "FOUND by seed %lu\n", static_cast<unsigned long>(seed)); }

void tell_hang(int) {
  tell_seed();
  std::fputs("it takes longer than 30 s of the processor, or than 10 minutes\n", stderr);
  _exit(3);
}

// The clock alone would accuse a machine that is busy with other work.
void limit_time() {
  constexpr itimerval seconds = {{0, 0}, {30, 0}};
  setitimer(ITIMER_PROF, &seconds, nullptr);
  alarm(600);
}

std::string content_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Links all files of the data set into `copy`, but one, which is changed.
void make_damaged_copy(const fs::path& folder, const fs::path& copy, const std::vector<fs::path>& files,
                       Random& random) {
  const fs::path& chosen = files[random.below(files.size())];
  const fs::path& other = files[random.below(files.size())];
  const std::string damaged =
      graticule::mutated(content_of(folder / chosen), content_of(folder / other), random);
  for (const fs::path& file : files) {
    fs::create_directories((copy / file).parent_path());
    if (file != chosen) fs::create_hard_link(folder / file, copy / file);
  }
  std::ofstream(copy / chosen, std::ios::binary) << damaged;
}

// Reads a few fields of every variable. Throws what the readers throw.
void read(const std::string& path, const graticule::ImageLayout& images) {
  const auto source = graticule::open_source(path, {}, images);
  const graticule::Catalog& catalog = source->catalog();
  constexpr int64_t most = 1 << 20;  // values of a field, whose size the damage may have changed
  const int64_t rows = catalog.lines();
  if (catalog.layers() > most || catalog.rows() > most || rows > most || rows * catalog.columns() > most)
    return;
  std::vector<float> field(static_cast<size_t>(rows * catalog.columns()));
  for (const graticule::Variable& variable : catalog.variables) {
    source->read(variable.name, 0, {0, rows}, field);
    if (!catalog.times.empty() && !variable.constant)
      source->read(variable.name, std::ssize(catalog.times) - 1, {0, rows}, field);
  }
}

// What became of a data set whose reading failed. Anything but our messages, "[place] ...", ends the program. A size
// that is damaged may ask for more memory than there is.
std::string kind_of(const std::exception& error) {
  const bool ours = error.what()[0] == '[';
  if (ours && dynamic_cast<const std::invalid_argument*>(&error)) return "refused";
  if (ours && dynamic_cast<const std::runtime_error*>(&error)) return "failed";
  if (dynamic_cast<const std::bad_alloc*>(&error)) return "no memory";
  tell_seed();
  std::fprintf(stderr, "%s\n", error.what());
  std::exit(3);
}

std::string run_seed(const fs::path& folder, const std::string& name, const graticule::ImageLayout& images,
                     const fs::path& copy, const std::vector<fs::path>& files) {
  Random random(seed);
  make_damaged_copy(folder, copy, files, random);
  limit_time();
  try {
    read((copy / name).lexically_normal(), images);
    return "read";
  } catch (const std::exception& error) {
    return kind_of(error);
  }
}

std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), folder));
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fputs("usage: read_mutated FOLDER NAME GRID MINUTES [FIRST]\n", stderr);
    return 2;
  }
  __sanitizer_set_death_callback(tell_seed);
  std::signal(SIGALRM, tell_hang);
  std::signal(SIGPROF, tell_hang);
  const std::vector<fs::path> files = files_of(argv[1]);
  graticule::ImageLayout images;
  for (const auto& grid : graticule::choices_of<graticule::GridKind>) {
    if (std::string_view(argv[3]) == grid.name) images.grid = grid.value;
  }
  const std::chrono::duration<double, std::ratio<60>> time(std::atof(argv[4]));
  const auto begin = std::chrono::steady_clock::now();
  const uint64_t first = argc > 5 ? std::strtoull(argv[5], nullptr, 10) : 0;
  std::map<std::string, size_t> counts;
  for (seed = first; seed == first || std::chrono::steady_clock::now() - begin < time; ++seed) {
    // A new name each time, because GDAL remembers the directories of archives.
    const fs::path copy = std::string(argv[1]) + "." + std::to_string(seed);
    ++counts[run_seed(argv[1], argv[2], images, copy, files)];
    if (time.count() > 0) fs::remove_all(copy);
  }
  std::printf("%s: seeds %lu to %lu", argv[1], static_cast<unsigned long>(first),
              static_cast<unsigned long>(seed - 1));
  for (const auto& [kind, count] : counts) std::printf(", %s %zu", kind.c_str(), count);
  std::puts("");
  std::fflush(stdout);
  __lsan_do_leak_check();
  _exit(0);  // the destructors of PROJ, which has no sanitizer, would be taken for errors
}
