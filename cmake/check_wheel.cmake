# What `pip install .` needs, with messages for people who see nothing else of the build. Included by dependencies.cmake, which
# has looked for PyTorch.

if(NOT torch_found)
  string(REGEX REPLACE ".*\n" "" torch_trouble "${torch_trouble}")  # the exception
  message(FATAL_ERROR "[graticule] ${Python_EXECUTABLE} has no PyTorch to build against (${torch_trouble}): first `pip install torch==2.13.0` "
    "(or another, 2.11 or newer). A tool that builds in a Python of its own, such as uv or build, needs its option against that "
    "(--no-build-isolation, --no-isolation), and `pip install scikit-build-core` before")
elseif(Torch_VERSION VERSION_LESS 2.11)
  message(FATAL_ERROR "[graticule] PyTorch ${Torch_VERSION} is too old: install 2.11 or newer, such as `pip install torch==2.13.0`")
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 12)
  message(FATAL_ERROR "[graticule] ${CMAKE_CXX_COMPILER} is GCC ${CMAKE_CXX_COMPILER_VERSION}: 12 or newer is needed. CXX names "
    "another compiler: `CXX=g++-12 pip install .`")
endif()
