# The torch that is installed in the target Python: headers and one library, nothing else (stable ABI).
# Defines smap_torch; says in one line what to do when there is none.
find_package(Python REQUIRED COMPONENTS Interpreter)
set(SMAP_FIND_TORCH
    "import importlib.util as u, os, sys; sys.path[:0] = [p for p in sys.argv[1:] if p]\ns = u.find_spec('torch')\nprint(os.path.dirname(s.origin) if s and s.origin else '', end='')")
# Python_SITEARCH names the environment's packages when the build itself runs isolated in another one. pip isolates
# through PYTHONPATH: -E shows what lies behind it (system packages of a virtual environment, .pth files).
foreach(flag -B -E)
  if(NOT EXISTS "${SMAP_TORCH_DIR}/include")
    execute_process(COMMAND ${Python_EXECUTABLE} ${flag} -c "${SMAP_FIND_TORCH}" "${Python_SITEARCH}" "${SKBUILD_PLATLIB_DIR}"
                    OUTPUT_VARIABLE SMAP_TORCH_DIR ERROR_QUIET)
  endif()
endforeach()
set(SMAP_TORCH_VERSION 0)
if(EXISTS "${SMAP_TORCH_DIR}/version.py")
  file(STRINGS "${SMAP_TORCH_DIR}/version.py" SMAP_TORCH_VERSION REGEX "^__version__")
  string(REGEX MATCH "[0-9]+\\.[0-9]+" SMAP_TORCH_VERSION "${SMAP_TORCH_VERSION}")
endif()
if(SMAP_TORCH_VERSION VERSION_LESS 2.11)
  string(REGEX REPLACE "^0$" "none" SMAP_TORCH_VERSION "${SMAP_TORCH_VERSION}")
  # The leading space keeps CMake from breaking the line.
  message(FATAL_ERROR " smap needs torch >= 2.11 in this environment to build, got ${SMAP_TORCH_VERSION}: run `pip install 'torch>=2.11'`, then `pip install .` again")
endif()
message(STATUS "torch: ${SMAP_TORCH_VERSION} in ${SMAP_TORCH_DIR}")

add_library(smap_torch INTERFACE)
target_include_directories(smap_torch SYSTEM INTERFACE ${SMAP_TORCH_DIR}/include)
target_compile_definitions(smap_torch INTERFACE TORCH_TARGET_VERSION=0x020b000000000000)
target_link_directories(smap_torch INTERFACE ${SMAP_TORCH_DIR}/lib)
target_link_libraries(smap_torch INTERFACE torch_cpu)

# Errors cross into torch, which has the shared C++ runtime. Where the compiler lacks its link name (libstdc++.so) or is
# told to, it would silently put a second, static one into our libraries: errors then crash, and their texts lose numbers.
find_library(SMAP_CXX_RUNTIME NAMES libstdc++.so.6)
if(SMAP_CXX_RUNTIME AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_link_libraries(smap_torch INTERFACE ${SMAP_CXX_RUNTIME})
endif()
