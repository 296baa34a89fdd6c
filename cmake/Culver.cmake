# How this tree declares its libraries, programs and tests.

set(CULVER_WARNINGS -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wimplicit-fallthrough -Werror=return-type)

# culver_library(name LINKS ...): every .cpp of the folder (and its subfolders) as a static library.
# Includes are spelled from the root of the tree.
function(culver_library name)
  cmake_parse_arguments(ARG "" "" "LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_compile_options(${name} PRIVATE ${CULVER_WARNINGS})
  target_link_libraries(${name} PUBLIC ${ARG_LINKS} Threads::Threads)
endfunction()

# culver_program(target OUTPUT file-name DESTINATION dir LINKS ... [SOURCES ...]): a program; its sources are every
# .cpp of the folder unless named.
function(culver_program target)
  cmake_parse_arguments(ARG "" "OUTPUT;DESTINATION" "LINKS;SOURCES" ${ARGN})
  if(NOT ARG_SOURCES)
    file(GLOB_RECURSE ARG_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  endif()
  add_executable(${target} ${ARG_SOURCES})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${ARG_OUTPUT}
                        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${ARG_DESTINATION})
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_options(${target} PRIVATE ${CULVER_WARNINGS})
  target_link_libraries(${target} PRIVATE ${ARG_LINKS} Threads::Threads)
  install(TARGETS ${target} DESTINATION ${ARG_DESTINATION})
  set_property(GLOBAL APPEND PROPERTY CULVER_PROGRAMS ${target})
endfunction()

# culver_unit_test(folder LINKS ...): tests/unit/<folder>/*-test.cpp as one GoogleTest program, one ctest per program.
function(culver_unit_test folder)
  cmake_parse_arguments(ARG "" "" "LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/${folder}/*.cpp)
  if(NOT sources)
    return() # a library whose tests are yet to be written
  endif()
  string(REPLACE "/" "-" flat ${folder})
  set(target unit-${flat})
  add_executable(${target} ${sources})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_options(${target} PRIVATE ${CULVER_WARNINGS})
  target_link_libraries(${target} PRIVATE ${ARG_LINKS} GTest::gtest_main)
  add_test(NAME ${target} COMMAND ${target})
  set_tests_properties(${target} PROPERTIES LABELS unit TIMEOUT 300)
endfunction()
