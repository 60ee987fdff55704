# Warnings, sanitizers and the compiler cache; every target links berth_options.
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(berth_options INTERFACE)
target_include_directories(berth_options INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
target_compile_options(berth_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  -Wnon-virtual-dtor -Woverloaded-virtual -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # At -O2 GCC 12 takes Asio's frame allocator for a mismatched pair when both ends are inlined.
  target_compile_options(berth_options INTERFACE -Wno-mismatched-new-delete)
endif()
target_compile_definitions(berth_options INTERFACE BERTH_VERSION="${PROJECT_VERSION}")

# Debug information at -g1: stack traces with lines; full -g doubles the time of an Asio file.
string(REPLACE "-g" "-g1" CMAKE_CXX_FLAGS_RELWITHDEBINFO "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")
string(REPLACE "-g" "-g1" CMAKE_CXX_FLAGS_DEBUG "${CMAKE_CXX_FLAGS_DEBUG}")

if(BERTH_SANITIZE)
  target_compile_options(berth_options INTERFACE -fsanitize=${BERTH_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(berth_options INTERFACE -fsanitize=${BERTH_SANITIZE})
  if(BERTH_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(berth_options INTERFACE -Wno-tsan)  # Asio's fences
  endif()
endif()
if(BERTH_FUZZ)
  target_compile_options(berth_options INTERFACE -fsanitize=fuzzer-no-link,address,undefined
    -fno-sanitize-recover=all -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(berth_options INTERFACE -fsanitize=address,undefined -fprofile-instr-generate)
endif()

# berth_room(NAME SOURCES... [LINKS targets...]): one static library for one room of src/.
function(berth_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;LINKS" ${ARGN})
  add_library(berth_${name} STATIC ${ROOM_SOURCES})
  target_link_libraries(berth_${name} PUBLIC berth_options ${ROOM_LINKS})
endfunction()

# berth_test(NAME LABEL SOURCES... LINKS rooms...): one GoogleTest program.
function(berth_test name label)
  cmake_parse_arguments(TEST "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${TEST_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE ${TEST_LINKS} GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE BERTH_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT 300)
endfunction()
