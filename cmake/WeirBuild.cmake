# How everything in this tree is compiled: standard, warnings, sanitizers, ccache, output folders.
set(WEIR_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=")
option(WEIR_PRECOMPILE "Precompile Asio and Protobuf for the targets that ask for it" ON)
option(WEIR_WARNINGS_AS_ERRORS "Treat warnings as errors" OFF)

if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug, RelWithDebInfo" FORCE)
  endif()
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
  find_program(WEIR_CCACHE ccache)
  if(WEIR_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # Another checkout of the same files finds what this one compiled. A precompiled header carries
    # time stamps; these are what ccache must overlook to cache its users.
    set(CMAKE_CXX_COMPILER_LAUNCHER
        "${CMAKE_COMMAND};-E;env;CCACHE_BASEDIR=${CMAKE_SOURCE_DIR};CCACHE_NOHASHDIR=1"
        "CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime"
        "${WEIR_CCACHE}")
  endif()
  find_program(WEIR_MOLD mold)
  if(WEIR_MOLD)
    include(CheckLinkerFlag)
    check_linker_flag(CXX -fuse-ld=mold WEIR_LINKS_WITH_MOLD)  # GCC knows it from version 12.1
    if(WEIR_LINKS_WITH_MOLD)
      add_link_options(-fuse-ld=mold)
    endif()
  endif()
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_path(WEIR_ASIO_INCLUDE_DIR asio.hpp)
if(NOT WEIR_ASIO_INCLUDE_DIR)
  message(FATAL_ERROR "asio.hpp is not there; scripts/bootstrap.sh installs everything weir needs")
endif()

# What every target of ours is compiled with; nothing of it reaches a user's targets.
add_library(weir_build_flags INTERFACE)
target_compile_options(weir_build_flags INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor
  -Woverloaded-virtual -Wimplicit-fallthrough)
# Line numbers are enough for profiles, stack traces and sanitizers, and cost little to build; the
# debug preset keeps whole symbols.
if(WEIR_SANITIZE OR NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_options(weir_build_flags INTERFACE -g1)
endif()
target_compile_definitions(weir_build_flags INTERFACE $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)
if(WEIR_WARNINGS_AS_ERRORS)
  target_compile_options(weir_build_flags INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(weir_build_flags INTERFACE -Wno-unused-private-field)
elseif(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 sees overlaps and overflows in `"text" + std::string` that are not there (GCC bugs 105651,
  # 105329); GCC 13 does not.
  target_compile_options(weir_build_flags INTERFACE -Wno-restrict -Wno-array-bounds
    -Wno-stringop-overflow -Wno-stringop-overread)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND WEIR_SANITIZE MATCHES "thread")
  # GCC names what its thread sanitizer cannot model (Asio's fences); Clang has no such warning.
  target_compile_options(weir_build_flags INTERFACE -Wno-tsan)
endif()
if(WEIR_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 loses track of initialisation in instrumented code (first seen in asio::use_future).
  target_compile_options(weir_build_flags INTERFACE -Wno-maybe-uninitialized)
endif()
if(WEIR_SANITIZE)
  # Without vptr: that check opens descriptors, and where none is left, as some tests have it, it takes
  # sound objects for broken ones.
  add_compile_options(-fsanitize=${WEIR_SANITIZE} -fno-sanitize=vptr -fno-omit-frame-pointer -O1)
  add_link_options(-fsanitize=${WEIR_SANITIZE})
  if(WEIR_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
      add_compile_options(-fno-sanitize=function)
    endif()
  endif()
endif()

# weir_library(NAME short-name SOURCE...): the shared shape of weir's libraries: alias weir::short-name,
# public headers in include/, strict warnings, installed and exported.
function(weir_library name short)
  add_library(${name} ${ARGN})
  add_library(weir::${short} ALIAS ${name})
  set_target_properties(${name} PROPERTIES EXPORT_NAME ${short})
  target_compile_features(${name} PUBLIC cxx_std_20)
  target_include_directories(${name} PUBLIC
    $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:weir_build_flags>)
  set_property(GLOBAL APPEND PROPERTY WEIR_LIBRARIES ${name})  # for WeirInstall.cmake
endfunction()

# weir_precompile(TARGET...): spares these targets the parsing of Asio and Protobuf, some 3 of the 4 to
# 7 seconds that a unit of weir costs. They must be linked with weir::core, whose definitions the
# precompiled header is made with. Libraries and programs need one each (-fPIC and -fPIE); all
# libraries share theirs, as do all programs. A file still includes what it uses: the `clang` preset
# builds without.
function(weir_precompile)
  if(NOT WEIR_PRECOMPILE OR NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    return()
  endif()
  foreach(target IN LISTS ARGN)
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "EXECUTABLE")
      set(shared weir_precompiled_program)
    else()
      set(shared weir_precompiled_library)
    endif()
    if(NOT TARGET ${shared})
      set(stub "${CMAKE_BINARY_DIR}/${shared}.cc")
      file(CONFIGURE OUTPUT "${stub}" CONTENT "int main() {}\n")
      if(type STREQUAL "EXECUTABLE")
        add_executable(${shared} "${stub}")
        set_target_properties(${shared} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
      else()
        add_library(${shared} STATIC "${stub}")
      endif()
      target_compile_features(${shared} PRIVATE cxx_std_20)
      target_compile_definitions(${shared} PRIVATE
        $<TARGET_PROPERTY:weir_core,INTERFACE_COMPILE_DEFINITIONS>)
      target_link_libraries(${shared} PRIVATE weir_build_flags Threads::Threads protobuf::libprotobuf)
      target_precompile_headers(${shared} PRIVATE <asio.hpp> <google/protobuf/message.h>)
    endif()
    target_precompile_headers(${target} REUSE_FROM ${shared})
  endforeach()
endfunction()
