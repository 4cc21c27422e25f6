# weir_generate(TARGET file.proto... [IMPORT_DIRS dir...] [OUT_DIR dir])
#
# Compiles .proto files with protoc (foo.pb.h, foo.pb.cc) and protoc-gen-weir (foo.weir.h) into
# TARGET, which is linked PUBLIC with weir::core and gets OUT_DIR as a PUBLIC include folder.
#   TARGET       a library or executable of the same CMakeLists.txt; if there is none of that name,
#                a static library is made.
#   file.proto   relative to the current source folder, or absolute.
#   IMPORT_DIRS  where `import` looks, in this order; after them come the current source folder and
#                the folder of weir/options.proto. The path below the first of them that holds the
#                file is its name: proto/a/b.proto with IMPORT_DIRS proto is "a/b.proto", and its
#                header is included as "a/b.weir.h".
#   OUT_DIR      where the generated files go; default: a folder of TARGET's own in the build tree.
# An imported .proto has to be compiled, too: in this call, or in a library that TARGET is linked with.
function(weir_generate target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "OUT_DIR" "IMPORT_DIRS")
  set(protos ${arg_UNPARSED_ARGUMENTS})
  if(arg_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "weir_generate(${target}): ${arg_KEYWORDS_MISSING_VALUES} needs a value")
  elseif(NOT protos)
    message(FATAL_ERROR "weir_generate(${target}): no .proto files; name at least one")
  endif()
  _weir_generate_target(${target})
  find_package(Protobuf REQUIRED)
  if(NOT TARGET protobuf::protoc)
    message(FATAL_ERROR "weir_generate(${target}): protoc is not installed; install protobuf-compiler")
  endif()

  if(arg_OUT_DIR)
    get_filename_component(out_dir "${arg_OUT_DIR}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_BINARY_DIR}")
  else()
    set(out_dir "${CMAKE_CURRENT_BINARY_DIR}/weir_generated/${target}")
  endif()
  file(MAKE_DIRECTORY "${out_dir}")

  # In the tree weir::core tells where weir/options.proto is; an installed weir sets WEIR_PROTO_DIR.
  get_target_property(options_dir weir::core WEIR_PROTO_DIR)
  if(NOT options_dir)
    set(options_dir "${WEIR_PROTO_DIR}")
  endif()
  set(import_dirs "")
  foreach(dir IN LISTS arg_IMPORT_DIRS ITEMS "${CMAKE_CURRENT_SOURCE_DIR}")
    get_filename_component(dir "${dir}" ABSOLUTE)
    if(NOT IS_DIRECTORY "${dir}")
      message(FATAL_ERROR "weir_generate(${target}): the import folder ${dir} does not exist")
    endif()
    list(APPEND import_dirs "${dir}")
  endforeach()
  list(APPEND import_dirs "${options_dir}")
  list(REMOVE_DUPLICATES import_dirs)
  list(TRANSFORM import_dirs PREPEND "-I" OUTPUT_VARIABLE import_flags)

  foreach(proto IN LISTS protos)
    get_filename_component(proto "${proto}" ABSOLUTE)
    _weir_name_of_proto(name ${target} "${proto}" "${import_dirs}")
    string(REGEX REPLACE "\\.proto$" "" stem "${name}")
    set(outputs "${out_dir}/${stem}.pb.cc" "${out_dir}/${stem}.pb.h" "${out_dir}/${stem}.weir.h")
    add_custom_command(
      OUTPUT ${outputs}
      COMMAND protobuf::protoc ${import_flags}
        "--plugin=protoc-gen-weir=$<TARGET_FILE:weir::protoc-gen-weir>"
        "--cpp_out=${out_dir}" "--weir_out=${out_dir}" "--dependency_out=${out_dir}/${stem}.d" "${name}"
      DEPENDS "${proto}" weir::protoc-gen-weir protobuf::protoc
      DEPFILE "${out_dir}/${stem}.d"
      COMMENT "Generating ${stem}.pb.h and ${stem}.weir.h"
      VERBATIM)
    target_sources(${target} PRIVATE ${outputs})
  endforeach()
  target_include_directories(${target} PUBLIC "$<BUILD_INTERFACE:${out_dir}>")
  target_link_libraries(${target} PUBLIC weir::core)
endfunction()

# Makes sure that `target` is one that sources can be added to.
function(_weir_generate_target target)
  if(NOT TARGET ${target})
    add_library(${target} STATIC)
    return()
  endif()
  get_target_property(type ${target} TYPE)
  get_target_property(imported ${target} IMPORTED)
  get_target_property(aliased ${target} ALIASED_TARGET)
  get_target_property(source_dir ${target} SOURCE_DIR)
  if(type STREQUAL "INTERFACE_LIBRARY" OR type STREQUAL "UTILITY" OR imported OR aliased)
    message(FATAL_ERROR "weir_generate(${target}): sources cannot be added to this target; give a "
      "library or executable that is built here, or a new name")
  elseif(NOT source_dir STREQUAL CMAKE_CURRENT_SOURCE_DIR)
    message(FATAL_ERROR "weir_generate(${target}): the target is made in ${source_dir}; call "
      "weir_generate there, because CMake runs the making of files only for targets of the same folder")
  endif()
endfunction()

# The name of a .proto as others import it: its path below the first import folder that holds it.
function(_weir_name_of_proto out target proto import_dirs)
  if(NOT proto MATCHES "\\.proto$")
    message(FATAL_ERROR "weir_generate(${target}): ${proto} is not a .proto file")
  elseif(NOT EXISTS "${proto}")
    message(FATAL_ERROR "weir_generate(${target}): ${proto} does not exist")
  endif()
  foreach(dir IN LISTS import_dirs)
    cmake_path(IS_PREFIX dir "${proto}" NORMALIZE is_below)
    if(is_below)
      file(RELATIVE_PATH name "${dir}" "${proto}")
      set(${out} "${name}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "weir_generate(${target}): ${proto} is in none of the import folders "
    "(${import_dirs}); name the folder that its imports start from with IMPORT_DIRS")
endfunction()
