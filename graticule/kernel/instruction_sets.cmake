# Each flash_tiles_<set>.cpp is compiled for its instruction set, and optimised in every build; the rest of the project is
# compiled for any processor. They use no LibTorch header, hence no precompiled one. Products and sums are
# fused only where the code says so: 2^(m - m) must be 1. GCC 12 takes the undefined operand of its own intrinsics for a mistake.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  list(FILTER kernel EXCLUDE REGEX "flash_tiles_no_x86\\.cpp$")
  set(avx2 -mavx2 -mfma -mf16c)
  set(avx512 ${avx2} -mavx512f -mavx512dq -mavx512bw -mavx512vl -mprefer-vector-width=512)
  set(avx512_bf16 ${avx512} -mavx512bf16)
  foreach(set avx2 avx512 avx512_bf16)
    set_source_files_properties("${CMAKE_CURRENT_LIST_DIR}/flash_tiles_${set}.cpp" PROPERTIES
      COMPILE_OPTIONS "-O3;-ffp-contract=off;-Wno-maybe-uninitialized;-Wno-uninitialized;${${set}}" SKIP_PRECOMPILE_HEADERS ON)
  endforeach()
else()
  list(FILTER kernel EXCLUDE REGEX "flash_tiles_(x86|avx.*)\\.cpp$")
endif()
