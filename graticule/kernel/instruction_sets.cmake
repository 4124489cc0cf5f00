# Each flash_tiles_<set>.cpp is compiled for its instruction set, and optimised in every build; the rest of the project is
# compiled for any processor. They use no LibTorch header, hence no precompiled one. Products and sums are
# fused only where the code says so: 2^(m - m) must be 1. GCC 12 takes the undefined operand of its own intrinsics for a mistake.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  list(FILTER kernel EXCLUDE REGEX "flash_tiles_no_x86\\.cpp$")
  set(avx2 -mavx2 -mfma -mf16c)
  set(avx512 ${avx2} -mavx512f -mavx512dq -mavx512bw -mavx512vl -mprefer-vector-width=512)
  set(avx512_bf16 ${avx512} -mavx512bf16)
  set(amx ${avx512_bf16} -mamx-tile -mamx-bf16)
  set_property(GLOBAL PROPERTY GRATICULE_INSTRUCTION_SETS AVX2 AVX-512 "AVX-512 BF16" AMX)
  foreach(set avx2 avx512 avx512_bf16 amx)
    set_source_files_properties("${CMAKE_CURRENT_LIST_DIR}/flash_tiles_${set}.cpp" PROPERTIES
      COMPILE_OPTIONS "-O3;-ffp-contract=off;-Wno-maybe-uninitialized;-Wno-uninitialized;${${set}}" SKIP_PRECOMPILE_HEADERS ON)
  endforeach()
  list(FILTER kernel EXCLUDE REGEX "row_kernels_no_x86\\.cpp$")
else()
  list(FILTER kernel EXCLUDE REGEX "(flash_tiles|row_kernels)_(x86|avx.*|amx)\\.cpp$")
endif()

# The same for row_kernels_<set>.cpp. Products and sums are fused there: they promise no bits across instruction sets.
foreach(set any avx2 avx512)
  set_source_files_properties("${CMAKE_CURRENT_LIST_DIR}/row_kernels_${set}.cpp" PROPERTIES
    COMPILE_OPTIONS "-O3;-ffp-contract=fast;${${set}}" SKIP_PRECOMPILE_HEADERS ON)
endforeach()
