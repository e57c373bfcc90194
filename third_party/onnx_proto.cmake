# ONNX's protobuf classes, made from the onnx.proto that Debian's libonnx-dev installs.
#
# The package is renamed from onnx to mini_infer_onnx: an application that links onnx itself has no clash of names, neither in C++ nor in
# protobuf's registry. optimize_for = LITE_RUNTIME stands in the file; it is added where a version lacks it.
find_package(Protobuf REQUIRED)
find_file(MINI_ONNX_PROTO onnx/onnx.proto PATHS /usr/include /usr/local/include NO_CMAKE_FIND_ROOT_PATH
          DOC "onnx.proto, from the package libonnx-dev")
if(NOT MINI_ONNX_PROTO)
  message(FATAL_ERROR "onnx/onnx.proto is missing; on Debian: apt-get install libonnx-dev, or pass -DMINI_ONNX_PROTO=FILE")
endif()
if(NOT Protobuf_PROTOC_EXECUTABLE)
  message(FATAL_ERROR "protoc is missing; on Debian: apt-get install protobuf-compiler")
endif()

set(MINI_PROTO_DIR ${CMAKE_CURRENT_BINARY_DIR}/gen)
file(READ ${MINI_ONNX_PROTO} proto_text)
string(REGEX REPLACE "package onnx;" "package mini_infer_onnx;" proto_text "${proto_text}")
string(REGEX REPLACE "option optimize_for = [A-Z_]+;" "" proto_text "${proto_text}")
string(APPEND proto_text "\noption optimize_for = LITE_RUNTIME;\n")
file(CONFIGURE OUTPUT ${MINI_PROTO_DIR}/mini_infer_onnx.proto CONTENT "${proto_text}" @ONLY)
add_custom_command(
  OUTPUT ${MINI_PROTO_DIR}/mini_infer_onnx.pb.cc ${MINI_PROTO_DIR}/mini_infer_onnx.pb.h
  COMMAND ${Protobuf_PROTOC_EXECUTABLE} --cpp_out=${MINI_PROTO_DIR} -I${MINI_PROTO_DIR} mini_infer_onnx.proto
  DEPENDS ${MINI_PROTO_DIR}/mini_infer_onnx.proto
  COMMENT "ONNX protobuf classes")

# mini_infer_link_onnx_proto(target): compiles the classes into target and links protobuf's lite runtime.
function(mini_infer_link_onnx_proto target)
  target_sources(${target} PRIVATE ${MINI_PROTO_DIR}/mini_infer_onnx.pb.cc)
  set_source_files_properties(${MINI_PROTO_DIR}/mini_infer_onnx.pb.cc PROPERTIES COMPILE_OPTIONS "-w")
  target_link_libraries(${target} PRIVATE protobuf::libprotobuf-lite)
endfunction()
