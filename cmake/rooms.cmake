# A room is one folder of graticule/ and one object library: `graticule_room(NAME SOURCES ... LINK ... [APART ...] [ALONE|WHOLE])`.
#
# What makes the build short:
# - Several files of a room are compiled together as one chunk (a "unity build"), so a header is read once for all of
#   them. APART names files that are compiled one by one: those that developers change most. ALONE compiles all files
#   of a room one by one, and treats them as files that use tensors; it is for tests. WHOLE makes one chunk of a room.
# - A file that includes a header of LibTorch, or whose own header does, is never in one chunk with other files. Such files
#   share a precompiled header (cmake/torch_pch.h). The others have none, and see of LibTorch at most the tensor, where
#   a header of ours has one. Files named in APART have a smaller precompiled header (cmake/tensor_pch.h), so they use
#   members of tensors and no operators or factories of ATen.
# -DGRATICULE_CHUNKS=OFF compiles every file alone, with all warnings. This finds missing includes, and clang-tidy needs it.

option(GRATICULE_CHUNKS "Compile several files of a room at once" ON)

set(GRATICULE_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror)

function(graticule_strict target)
  target_compile_options(${target} PRIVATE ${GRATICULE_WARNINGS})
  target_include_directories(${target} PUBLIC "${PROJECT_SOURCE_DIR}")
  if(GRATICULE_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=${GRATICULE_SANITIZE} -fno-omit-frame-pointer -g1)
    target_link_options(${target} PUBLIC -fsanitize=${GRATICULE_SANITIZE})
    # GCC warns of values in <regex> that it takes for uninitialized once the sanitizers' calls stand between.
    target_compile_options(${target} PUBLIC -Wno-maybe-uninitialized)
  endif()
  if(GRATICULE_SANITIZE MATCHES "thread")
    # The reference counts of LibTorch use a fence that ThreadSanitizer does not know.
    target_compile_options(${target} PUBLIC -Wno-tsan)
  endif()
endfunction()

# The precompiled headers of files that use tensors: with ATen's operators and factories, and, for files compiled apart,
# with the tensor and its members alone. The second one loads in a third of the time.
file(WRITE "${PROJECT_BINARY_DIR}/empty.cpp" "")
add_library(graticule_tensor_pch OBJECT "${PROJECT_BINARY_DIR}/empty.cpp")
target_link_libraries(graticule_tensor_pch PUBLIC graticule_torch)
graticule_strict(graticule_tensor_pch)
target_precompile_headers(graticule_tensor_pch PRIVATE "${PROJECT_SOURCE_DIR}/cmake/tensor_pch.h")
set(GRATICULE_TENSOR_PCH "${PROJECT_BINARY_DIR}/CMakeFiles/graticule_tensor_pch.dir/cmake_pch.hxx")

add_library(graticule_pch OBJECT "${PROJECT_BINARY_DIR}/empty.cpp")
target_link_libraries(graticule_pch PUBLIC graticule_torch)
graticule_strict(graticule_pch)
target_precompile_headers(graticule_pch PRIVATE "${PROJECT_SOURCE_DIR}/cmake/torch_pch.h")

# Sets `out` to TRUE if a source, or the header of the same name, includes a header of LibTorch.
function(graticule_uses_tensors out source)
  set(${out} FALSE PARENT_SCOPE)
  string(REGEX REPLACE "\\.cpp$" ".h" header "${source}")
  foreach(file "${source}" "${header}")
    if(EXISTS "${file}")
      file(STRINGS "${file}" found REGEX "#include <(ATen|torch|c10)/" LIMIT_COUNT 1)
      if(found)
        set(${out} TRUE PARENT_SCOPE)
      endif()
    endif()
  endforeach()
endfunction()

# Writes files that include `size` sources each. Sets `out` to the list of these files.
function(graticule_chunks out stem size)
  set(chunks "")
  set(text "")
  set(held 0)
  foreach(source ${ARGN} END)
    if(held EQUAL size OR source STREQUAL "END" AND held GREATER 0)
      list(LENGTH chunks number)
      set(chunk "${PROJECT_BINARY_DIR}/chunks/${stem}_${number}.cpp")
      file(CONFIGURE OUTPUT "${chunk}" CONTENT "${text}")
      list(APPEND chunks "${chunk}")
      set(text "")
      set(held 0)
    endif()
    string(APPEND text "#include \"${source}\"\n")
    math(EXPR held "${held} + 1")
  endforeach()
  set(${out} ${chunks} PARENT_SCOPE)
endfunction()

function(graticule_room name)
  cmake_parse_arguments(ROOM "ALONE;WHOLE" "" "SOURCES;LINK;APART" ${ARGN})
  set(size 8)
  if(ROOM_WHOLE)
    set(size 1000)
  endif()
  set(alone "")
  set(plain "")
  set(tensors "")
  set(any_tensors FALSE)
  foreach(source ${ROOM_SOURCES})
    get_filename_component(source "${source}" ABSOLUTE)
    get_filename_component(stem "${source}" NAME_WE)
    get_source_file_property(options "${source}" COMPILE_OPTIONS)
    get_source_file_property(definitions "${source}" COMPILE_DEFINITIONS)
    set(with_tensors TRUE)
    if(NOT ROOM_ALONE)
      graticule_uses_tensors(with_tensors "${source}")
    endif()
    if(with_tensors)
      set(any_tensors TRUE)
    else()
      set_source_files_properties("${source}" PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
    endif()
    if(stem IN_LIST ROOM_APART AND with_tensors AND NOT CMAKE_DISABLE_PRECOMPILE_HEADERS)
      set_source_files_properties("${source}" PROPERTIES SKIP_PRECOMPILE_HEADERS ON
        COMPILE_OPTIONS "-include;${GRATICULE_TENSOR_PCH}" OBJECT_DEPENDS "${GRATICULE_TENSOR_PCH}.gch")
    endif()
    if(options OR definitions OR stem IN_LIST ROOM_APART OR ROOM_ALONE OR NOT GRATICULE_CHUNKS)
      list(APPEND alone "${source}")
    elseif(with_tensors)
      list(APPEND tensors "${source}")
    else()
      list(APPEND plain "${source}")
    endif()
  endforeach()
  graticule_chunks(plain_chunks ${name} ${size} ${plain})
  graticule_chunks(tensor_chunks ${name}_tensors 6 ${tensors})
  set_source_files_properties(${plain_chunks} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
  # Two warnings that come from chunks alone. `make check-all` also compiles every file alone, with both warnings on.
  set_source_files_properties(${plain_chunks} ${tensor_chunks} PROPERTIES COMPILE_OPTIONS "-Wno-subobject-linkage;-Wno-shadow")
  if(CMAKE_DISABLE_PRECOMPILE_HEADERS AND tensor_chunks)
    set_property(SOURCE ${tensor_chunks} APPEND PROPERTY COMPILE_OPTIONS -include "${PROJECT_SOURCE_DIR}/cmake/torch_pch.h")
  endif()
  add_library(graticule_${name} OBJECT ${alone} ${plain_chunks} ${tensor_chunks})
  graticule_strict(graticule_${name})
  target_link_libraries(graticule_${name} PUBLIC ${ROOM_LINK})
  if(any_tensors)
    target_link_libraries(graticule_${name} PUBLIC graticule_torch)
    target_precompile_headers(graticule_${name} REUSE_FROM graticule_pch)
  endif()
endfunction()
