# Finds every library the rooms use. The virtual environment in the tree is looked into first, so that
# `cmake --preset release` works after `make setup`; a cluster passes -DCMAKE_PREFIX_PATH and its own MPI instead.

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
  # The wheel that pip gives by default is a CUDA build, whose CMake package refuses to be used without the CUDA toolkit.
  # A machine without one needs the CPU part alone.
  message(STATUS "LibTorch was built for CUDA ${torch_cuda}, no CUDA toolkit was found: linking its CPU part")
  get_filename_component(torch_root "${torch_prefix}/../.." ABSOLUTE)
  set(TORCH_INCLUDE_DIRS "${torch_root}/include" "${torch_root}/include/torch/csrc/api/include")
  set(TORCH_LIBRARIES "${torch_root}/lib/libtorch_cpu.so" "${torch_root}/lib/libc10.so" -Wl,--allow-shlib-undefined)
else()
  find_package(Torch REQUIRED)
endif()
find_package(Threads REQUIRED)

# Headers of other people's code never warn: our flags are errors.
add_library(graticule_torch INTERFACE)
target_include_directories(graticule_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(graticule_torch INTERFACE ${TORCH_LIBRARIES} Threads::Threads)
separate_arguments(torch_flags UNIX_COMMAND "${TORCH_CXX_FLAGS}")
target_compile_options(graticule_torch INTERFACE ${torch_flags})
target_compile_definitions(graticule_torch INTERFACE USE_DISTRIBUTED USE_C10D)

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
  pkg_check_modules(blosc REQUIRED IMPORTED_TARGET blosc)
  pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
  pkg_check_modules(tomlplusplus_pc QUIET IMPORTED_TARGET tomlplusplus)
  find_package(ZLIB REQUIRED)
endif()

if(GRATICULE_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
if(GRATICULE_BENCH)
  find_package(benchmark REQUIRED)
endif()
