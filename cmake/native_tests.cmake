# Native tests of csrc/core under ASan and UBSan: one program per tests/native/*.cpp, no framework, no torch, no Python.
enable_testing()
set(SMAP_SANITIZERS -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all -fno-omit-frame-pointer)
target_compile_options(smap_core PRIVATE -g ${SMAP_SANITIZERS})

file(GLOB SMAP_NATIVE_TESTS CONFIGURE_DEPENDS tests/native/*.cpp)
foreach(source ${SMAP_NATIVE_TESTS})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_compile_options(${name} PRIVATE -g -O1 ${SMAP_SANITIZERS})
  target_link_options(${name} PRIVATE ${SMAP_SANITIZERS})
  target_link_libraries(${name} PRIVATE smap_core)
  add_test(NAME ${name} COMMAND ${name})
endforeach()
