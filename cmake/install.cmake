# cmake --install: headers, the static library and find_package(mini_infer).
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mini_infer)

install(TARGETS mini_infer EXPORT mini_infer_targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY engine/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT mini_infer_targets NAMESPACE mini_infer:: DESTINATION ${package_dir})
configure_package_config_file(cmake/mini_inferConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/mini_inferConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/mini_inferConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mini_inferConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/mini_inferConfigVersion.cmake
  DESTINATION ${package_dir})
