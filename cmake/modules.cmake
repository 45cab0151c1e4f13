# obs_module(NAME [DEPENDS module…] [PACKAGES pkg-config-name…] [LIBRARIES name…])
#   A folder of lib/ as a static library: all its .c files, also those of sub-folders.
# obs_program(NAME [DEPENDS module…])      A folder of apps/ as a program build/bin/NAME: main.c, and the other
#   files as a library, so that a unit test can take them: obs_test(test_x DEPENDS NAME_parts).
# obs_test(NAME [SOURCES file…] [DEPENDS module…] [LABELS label…])   A cmocka program.

function(obs_link target)
  cmake_parse_arguments(arg "" "" "DEPENDS;PACKAGES;LIBRARIES" ${ARGN})
  target_link_libraries(${target} PRIVATE obs_compile_options Threads::Threads)
  foreach(module IN LISTS arg_DEPENDS)
    target_link_libraries(${target} PUBLIC obs_${module})
  endforeach()
  foreach(package IN LISTS arg_PACKAGES)
    string(MAKE_C_IDENTIFIER ${package} id)
    pkg_check_modules(PKG_${id} REQUIRED IMPORTED_TARGET ${package})
    target_link_libraries(${target} PRIVATE PkgConfig::PKG_${id})
  endforeach()
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES})
endfunction()

# With OBS_CLANG_TIDY each file of lib/ and apps/ is compiled and linted in one step, again only when it changed.
function(obs_tidy)
  if(OBS_CLANG_TIDY)
    set_target_properties(${ARGV} PROPERTIES C_CLANG_TIDY "${OBS_CLANG_TIDY};--quiet")
  endif()
endfunction()

# An executable under ThreadSanitizer brings the stand-in for C11's threads, seen by the libraries too.
function(obs_show_threads target)
  if(OBS_SANITIZE STREQUAL "thread")
    target_sources(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/tsan_threads.c)
    set_target_properties(${target} PROPERTIES ENABLE_EXPORTS ON)
  endif()
endfunction()

function(obs_module name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.c
       ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  if(NOT sources)
    message(FATAL_ERROR "lib/${name} has no sources")
  endif()
  add_library(obs_${name} STATIC ${sources})
  target_include_directories(obs_${name} PUBLIC ${CMAKE_SOURCE_DIR}/lib)
  obs_link(obs_${name} ${ARGN})
  obs_tidy(obs_${name})
endfunction()

# What make build-native builds: the programs without tests and benchmarks.
add_custom_target(programs)

function(obs_program name)
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  file(GLOB parts CONFIGURE_DEPENDS ${folder}/*.c)
  list(REMOVE_ITEM parts ${folder}/main.c)
  add_executable(${name} ${folder}/main.c)
  target_include_directories(${name} PRIVATE ${folder})
  obs_link(${name} ${ARGN})
  obs_show_threads(${name})
  obs_tidy(${name})
  add_dependencies(programs ${name})
  if(parts)
    add_library(obs_${name}_parts STATIC ${parts})
    target_include_directories(obs_${name}_parts PUBLIC ${folder})
    obs_link(obs_${name}_parts ${ARGN})
    target_link_libraries(${name} PRIVATE obs_${name}_parts)
    obs_tidy(obs_${name}_parts)
  endif()
endfunction()

function(obs_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LABELS;ARGUMENTS" ${ARGN})
  add_executable(${name} ${name}.c ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE
    OBS_SOURCE_DIR="${CMAKE_SOURCE_DIR}" OBS_BIN_DIR="${CMAKE_BINARY_DIR}/bin")
  obs_link(${name} ${arg_UNPARSED_ARGUMENTS} PACKAGES cmocka)
  obs_show_threads(${name})
  add_test(NAME ${name} COMMAND ${name} ${arg_ARGUMENTS})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
  if(OBS_SANITIZE STREQUAL "thread")
    set_tests_properties(${name} PROPERTIES ENVIRONMENT
      "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/support/tsan.supp")
  endif()
endfunction()
