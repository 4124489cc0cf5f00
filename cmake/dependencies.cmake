# Finds every library that the rooms use. It searches the virtual environment .venv of the tree first, so
# `cmake --preset release` works after `make setup`. On a cluster pass -DCMAKE_PREFIX_PATH and your own MPI instead
# (docs/cluster.md).

set(GRATICULE_VENV "${PROJECT_SOURCE_DIR}/.venv")

if(NOT Torch_DIR AND EXISTS "${GRATICULE_VENV}/bin/python")
  execute_process(
    COMMAND "${GRATICULE_VENV}/bin/python" -c "import torch; print(torch.utils.cmake_prefix_path, torch.version.cuda or '', sep=';')"
    OUTPUT_VARIABLE torch_found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(torch_found)
    list(GET torch_found 0 torch_prefix)
    list(GET torch_found 1 torch_cuda)
    list(APPEND CMAKE_PREFIX_PATH "${torch_prefix}")
  endif()
endif()
if(torch_cuda)
  find_package(CUDAToolkit QUIET)
endif()
if(torch_cuda AND NOT CUDAToolkit_FOUND)
  # The default wheel of pip is a CUDA build. Its CMake package fails without the CUDA toolkit. A machine without the
  # toolkit needs only the CPU libraries.
  message(STATUS "LibTorch was built for CUDA ${torch_cuda}, but no CUDA toolkit was found: the build uses its CPU libraries")
  get_filename_component(torch_root "${torch_prefix}/../.." ABSOLUTE)
  set(TORCH_INCLUDE_DIRS "${torch_root}/include" "${torch_root}/include/torch/csrc/api/include")
  set(TORCH_LIBRARIES "${torch_root}/lib/libtorch_cpu.so" "${torch_root}/lib/libc10.so" -Wl,--allow-shlib-undefined)
else()
  find_package(Torch REQUIRED)
endif()
find_package(Threads REQUIRED)

# SYSTEM: headers of other projects give no warnings. Warnings in our own code are errors.
add_library(graticule_torch INTERFACE)
target_include_directories(graticule_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(graticule_torch INTERFACE ${TORCH_LIBRARIES} Threads::Threads)
separate_arguments(torch_flags UNIX_COMMAND "${TORCH_CXX_FLAGS}")
target_compile_options(graticule_torch INTERFACE ${torch_flags})
# AT_PER_OPERATOR_HEADERS: an ATen header includes only the functions that it needs.
target_compile_definitions(graticule_torch INTERFACE USE_DISTRIBUTED USE_C10D AT_PER_OPERATOR_HEADERS)

# gold links in a quarter of the time of the default linker.
include(CheckLinkerFlag)
check_linker_flag(CXX -fuse-ld=gold GRATICULE_GOLD)
if(GRATICULE_GOLD)
  add_link_options(-fuse-ld=gold)
endif()

if(GRATICULE_MPI)
  if(NOT MPI_CXX_COMPILER AND EXISTS "${GRATICULE_VENV}/bin/mpicxx")
    set(MPI_CXX_COMPILER "${GRATICULE_VENV}/bin/mpicxx")
    set(MPI_C_COMPILER "${GRATICULE_VENV}/bin/mpicc")
    set(MPIEXEC_EXECUTABLE "${GRATICULE_VENV}/bin/mpiexec")
  endif()
  set(MPI_CXX_SKIP_MPICXX ON)
  find_package(MPI REQUIRED COMPONENTS CXX)
endif()

if(GRATICULE_DATA)
  find_package(GDAL 3.6 REQUIRED)
  find_package(CLI11 REQUIRED)
  find_package(nlohmann_json REQUIRED)
  find_package(tomlplusplus QUIET)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(netcdf REQUIRED IMPORTED_TARGET netcdf>=4.9 hdf5)
  pkg_check_modules(blosc REQUIRED IMPORTED_TARGET blosc)
  pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
  pkg_check_modules(tomlplusplus_pc QUIET IMPORTED_TARGET tomlplusplus)
  find_package(ZLIB REQUIRED)
  if(GRATICULE_SIMGRID)
    pkg_check_modules(SIMGRID QUIET IMPORTED_TARGET simgrid>=3.32)
    if(NOT SIMGRID_FOUND)
      message(STATUS "SimGrid (libsimgrid-dev) was not found: `graticule simulate` will refuse to run")
    endif()
  endif()
endif()

if(GRATICULE_TESTS)
  find_package(GTest QUIET)
  include(GoogleTest)
  if(NOT GTest_FOUND)
    message(STATUS "GoogleTest (libgtest-dev) was not found: the tests are not built. `make test` installs it")
  endif()
endif()
if(GRATICULE_BENCH)
  find_package(benchmark REQUIRED)
endif()
