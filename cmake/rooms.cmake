# A room is one folder of graticule/ and one object library. `graticule_room(NAME SOURCES ... LINK ...)` sets our
# warnings, sanitizers and the precompiled header; a room sees only the rooms named in LINK.

set(GRATICULE_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror)

function(graticule_strict target)
  target_compile_options(${target} PRIVATE ${GRATICULE_WARNINGS})
  target_include_directories(${target} PUBLIC "${PROJECT_SOURCE_DIR}")
  if(GRATICULE_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=${GRATICULE_SANITIZE} -fno-omit-frame-pointer -g1)
    target_link_options(${target} PUBLIC -fsanitize=${GRATICULE_SANITIZE})
  endif()
  if(GRATICULE_SANITIZE MATCHES "thread")
    # LibTorch's reference counts use a fence that ThreadSanitizer does not know: tools/tsan.supp.
    target_compile_options(${target} PUBLIC -Wno-tsan)
  endif()
endfunction()

# One precompiled header for everything that includes LibTorch: its headers take longer than our code.
file(WRITE "${PROJECT_BINARY_DIR}/pch.cpp" "")
add_library(graticule_pch OBJECT "${PROJECT_BINARY_DIR}/pch.cpp")
target_link_libraries(graticule_pch PUBLIC graticule_torch)
graticule_strict(graticule_pch)
target_precompile_headers(graticule_pch PRIVATE "${PROJECT_SOURCE_DIR}/cmake/torch_pch.h")

function(graticule_room name)
  cmake_parse_arguments(ROOM "TORCH" "" "SOURCES;LINK" ${ARGN})
  if(NOT ROOM_SOURCES)
    set(ROOM_SOURCES "${PROJECT_BINARY_DIR}/pch.cpp")
  endif()
  add_library(graticule_${name} OBJECT ${ROOM_SOURCES})
  graticule_strict(graticule_${name})
  target_link_libraries(graticule_${name} PUBLIC ${ROOM_LINK})
  if(ROOM_TORCH)
    target_link_libraries(graticule_${name} PUBLIC graticule_torch)
    target_precompile_headers(graticule_${name} REUSE_FROM graticule_pch)
  endif()
endfunction()

