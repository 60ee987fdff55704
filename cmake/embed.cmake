# Writes INPUT into OUTPUT as the string openapi_text; a literal has a limit of 64 KiB in some
# compilers, so it is cut into pieces.
file(READ ${INPUT} text)
string(LENGTH "${text}" length)
set(pieces "")
set(at 0)
while(at LESS length)
  string(SUBSTRING "${text}" ${at} 15000 piece)
  string(APPEND pieces "    text += R\"OPENAPI(${piece})OPENAPI\";\n")
  math(EXPR at "${at} + 15000")
endwhile()
file(WRITE ${OUTPUT} "#include \"api/openapi_text.hpp\"\n\nnamespace berth::api {\n\nstd::string openapi_text() {\n    std::string text;\n${pieces}    return text;\n}\n\n}  // namespace berth::api\n")
