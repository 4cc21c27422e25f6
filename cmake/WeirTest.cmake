# weir_test(NAME SOURCES a_test.cc... [LIBS lib...] [LABELS unit|e2e|registry|fault|engine|fuzz|slow...]
#           [TIMEOUT seconds]): one GoogleTest program; every TEST in it becomes a ctest test.
include(GoogleTest)
find_package(GTest REQUIRED)
function(weir_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBS} weir_build_flags GTest::gmock GTest::gtest_main)
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  # Discovery writes the properties into a script, where a bare list would fall apart.
  string(REPLACE ";" "\\;" labels "${arg_LABELS}")
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS "${labels}" TIMEOUT ${arg_TIMEOUT})
endfunction()

# weir_script_test(NAME PROGRAM ARGUMENT...): a program whose exit code is the verdict, as a unit test.
function(weir_script_test name)
  add_test(NAME ${name} COMMAND ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 60)
endfunction()
