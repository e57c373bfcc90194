# cmake -DNAME=... -DINPUT=... -DOUTPUT=... -P embed.cmake: a C++ source that holds the bytes of a file as
# mini_infer::tools::NAME and their number as NAME_size.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUTPUT} "#include \"tools/demo/embedded.h\"\n\nnamespace mini_infer::tools {\n
alignas(64) const unsigned char ${NAME}[] = {\n${bytes}\n};
const decltype(sizeof 0) ${NAME}_size = sizeof ${NAME};\n\n}  // namespace mini_infer::tools\n")
