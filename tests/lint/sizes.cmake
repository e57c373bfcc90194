# No source file past 600 lines.
file(GLOB_RECURSE files RELATIVE ${SOURCE_DIR} ${SOURCE_DIR}/engine/*.* ${SOURCE_DIR}/graph/*.* ${SOURCE_DIR}/kernels/*.* ${SOURCE_DIR}/tools/*.cc
     ${SOURCE_DIR}/tools/*.h ${SOURCE_DIR}/tests/*.cc ${SOURCE_DIR}/tests/*.h ${SOURCE_DIR}/bench/*.cc)
set(failures "")
foreach(file ${files})
  execute_process(COMMAND wc -l ${SOURCE_DIR}/${file} OUTPUT_VARIABLE count)
  string(REGEX MATCH "[0-9]+" count "${count}")
  if(count GREATER 600)
    string(APPEND failures "${file} has ${count} lines; find a seam\n")
  endif()
endforeach()
if(failures)
  message(FATAL_ERROR "${failures}")
endif()
