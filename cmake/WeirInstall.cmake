# What `cmake --install` gives: libraries, public headers and .proto files, programs, a CMake package
# (find_package(weir)) and one pkg-config file per library. Included last: it reads from the targets
# what they are linked with, so that there is no second list of dependencies to keep true.
include(CMakePackageConfigHelpers)

set(weir_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/weir")
get_property(weir_libraries GLOBAL PROPERTY WEIR_LIBRARIES)

# weir_needs_of(LIBRARY needs requires libs): what LIBRARY is linked with, in three spellings.
#   needs     for weirConfig.cmake: other libraries of weir as weir::name, packages by their name,
#             pkg-config modules as PREFIX=module
#   requires  for Requires: of the .pc file
#   libs      for Libs: of the .pc file
function(weir_needs_of library out_needs out_requires out_libs)
  set(needs "")
  set(requires "")
  set(libs "")
  get_target_property(linked ${library} INTERFACE_LINK_LIBRARIES)
  foreach(item IN LISTS linked)
    string(REGEX REPLACE "^\\$<LINK_ONLY:(.*)>$" "\\1" item "${item}")
    if(item MATCHES "^\\$<BUILD_INTERFACE:" OR item MATCHES "-NOTFOUND$")
      continue()
    endif()
    if(TARGET "${item}")
      get_target_property(aliased ${item} ALIASED_TARGET)
      if(aliased)
        set(item ${aliased})
      endif()
    endif()
    if(item IN_LIST weir_libraries)
      get_target_property(short ${item} EXPORT_NAME)
      list(APPEND needs weir::${short})
      string(REPLACE "_" "-" short "${short}")
      list(APPEND requires weir-${short})
    elseif(item MATCHES "^PkgConfig::(.+)$")
      set(prefix ${CMAKE_MATCH_1})
      list(APPEND needs "${prefix}=${${prefix}_MODULE_NAME}")
      list(APPEND requires ${${prefix}_MODULE_NAME})
    elseif(item STREQUAL "Threads::Threads")
      list(APPEND needs Threads)
      list(APPEND libs -pthread)
    elseif(item MATCHES "^protobuf::")
      list(APPEND needs Protobuf)
      list(APPEND requires protobuf)
    elseif(item STREQUAL "spdlog::spdlog")
      list(APPEND needs spdlog)
      list(APPEND requires spdlog)
    elseif(item MATCHES "^ZooKeeper::")
      list(APPEND needs ZooKeeper)
      list(APPEND libs -lzookeeper_mt)
    else()
      message(FATAL_ERROR "${library} is linked with ${item}, and cmake/WeirInstall.cmake does not "
        "know how an installed weir finds that; teach it in weir_needs_of()")
    endif()
  endforeach()
  foreach(list needs requires libs)
    list(REMOVE_DUPLICATES ${list})
    set(${out_${list}} "${${list}}" PARENT_SCOPE)
  endforeach()
endfunction()

# weir_write_pkg_config(LIBRARY requires libs): the .pc file of a library.
function(weir_write_pkg_config library requires libs)
  get_target_property(short ${library} EXPORT_NAME)
  string(REPLACE "_" "-" pc_name "weir-${short}")
  set(cflags "-I\${includedir}")
  get_target_property(definitions ${library} INTERFACE_COMPILE_DEFINITIONS)
  foreach(definition IN LISTS definitions)
    # What only some compilers need does no harm to the others.
    string(REGEX REPLACE "^\\$<\\$<CXX_COMPILER_ID:[^>]*>:(.*)>$" "\\1" definition "${definition}")
    if(definition)
      string(APPEND cflags " -D${definition}")
    endif()
  endforeach()
  # The options come before the library: they decide what the linker takes from it.
  set(link "-L\${libdir}")
  get_target_property(options ${library} INTERFACE_LINK_OPTIONS)
  foreach(option IN LISTS options)
    if(option)
      string(REGEX REPLACE "^LINKER:" "-Wl," option "${option}")
      string(APPEND link " ${option}")
    endif()
  endforeach()
  string(APPEND link " -l${library}")
  foreach(lib IN LISTS libs)
    string(APPEND link " ${lib}")
  endforeach()
  list(JOIN requires " " requires)
  file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/pkgconfig/${pc_name}.pc" @ONLY CONTENT
"prefix=\${pcfiledir}/@weir_pc_to_prefix@
libdir=\${prefix}/@CMAKE_INSTALL_LIBDIR@
includedir=\${prefix}/@CMAKE_INSTALL_INCLUDEDIR@

Name: @pc_name@
Description: @PROJECT_DESCRIPTION@
Version: @PROJECT_VERSION@
Requires: @requires@
Libs: @link@
Cflags: @cflags@
")
  install(FILES "${PROJECT_BINARY_DIR}/pkgconfig/${pc_name}.pc"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endfunction()

file(RELATIVE_PATH weir_pc_to_prefix "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
string(REGEX REPLACE "/$" "" weir_pc_to_prefix "${weir_pc_to_prefix}")
set(weir_components "")
set(weir_component_needs "")
set(weir_header_dirs "")
foreach(library IN LISTS weir_libraries)
  weir_needs_of(${library} needs requires libs)
  weir_write_pkg_config(${library} "${requires}" "${libs}")
  get_target_property(short ${library} EXPORT_NAME)
  list(APPEND weir_components ${short})
  list(JOIN needs " " needs)
  string(APPEND weir_component_needs "set(_weir_${short}_needs ${needs})\n")
  get_target_property(include_dirs ${library} INTERFACE_INCLUDE_DIRECTORIES)
  foreach(dir IN LISTS include_dirs)
    if(dir MATCHES "^\\$<BUILD_INTERFACE:(.*)>$")
      list(APPEND weir_header_dirs "${CMAKE_MATCH_1}")
    endif()
  endforeach()
endforeach()

# Written headers and generated ones.
list(REMOVE_DUPLICATES weir_header_dirs)
foreach(dir IN LISTS weir_header_dirs)
  install(DIRECTORY "${dir}/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.h" PATTERN "*.proto" PATTERN "CMakeFiles" EXCLUDE)
endforeach()

install(TARGETS ${weir_libraries} EXPORT weirTargets)
if(TARGET protoc-gen-weir)
  install(TARGETS protoc-gen-weir EXPORT weirTargets)
endif()
foreach(program weir weir-kv weir-kv-admin weir-kv-server weir_strategy_lab)
  if(TARGET ${program})
    install(TARGETS ${program})
  endif()
endforeach()
install(EXPORT weirTargets NAMESPACE weir:: DESTINATION "${weir_package_dir}")

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/weirConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/weirConfig.cmake" INSTALL_DESTINATION "${weir_package_dir}"
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/weirConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/weirConfig.cmake" "${PROJECT_BINARY_DIR}/weirConfigVersion.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/WeirGenerate.cmake" DESTINATION "${weir_package_dir}")
file(GLOB weir_find_modules "${CMAKE_CURRENT_LIST_DIR}/Find*.cmake")
if(weir_find_modules)
  install(FILES ${weir_find_modules} DESTINATION "${weir_package_dir}")
endif()
