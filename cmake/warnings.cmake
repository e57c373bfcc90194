# mini_infer_warnings(target): the project's warnings, as errors when MINI_INFER_WERROR is on.
function(mini_infer_warnings target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wmissing-declarations -Wvla
    -Wno-missing-field-initializers)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 reports these inside its own headers (PR 105562, 105329) at -O2 and under sanitizers.
    target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow
      -Wno-stringop-overread -Wno-array-bounds -Wno-dangling-pointer)
  else()
    target_compile_options(${target} PRIVATE -Wno-pass-failed)
  endif()
  if(MINI_INFER_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()
