# Finds xsimd (header only). Sets MINI_XSIMD_INCLUDE_DIR.
find_path(MINI_XSIMD_INCLUDE_DIR xsimd/xsimd.hpp)
if(NOT MINI_XSIMD_INCLUDE_DIR)
  message(FATAL_ERROR "xsimd is missing; on Debian: apt-get install libxsimd-dev")
endif()
