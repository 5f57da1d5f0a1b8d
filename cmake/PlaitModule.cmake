# plait_module(NAME spec SOURCES a.cpp ... LINK plait_x ...): one static library target plait_<NAME> for one module.
# Its LINK list is its list of arrows; tests/architecture checks the includes against the table of the design.
function(plait_module)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  add_library(plait_${ARG_NAME} STATIC ${ARG_SOURCES})
  target_link_libraries(plait_${ARG_NAME} PUBLIC plait_flags ${ARG_LINK} PRIVATE ${ARG_PRIVATE_LINK})
  set_target_properties(plait_${ARG_NAME} PROPERTIES POSITION_INDEPENDENT_CODE ON)  # some end in libplait_torch.so too
endfunction()

# plait_test(NAME spec SOURCES a_test.cpp ... LINK plait_spec ...): one GoogleTest program for one module's tests.
function(plait_test)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;LINK" ${ARGN})
  add_executable(test_${ARG_NAME} ${ARG_SOURCES})
  target_link_libraries(test_${ARG_NAME} PRIVATE plait_flags ${ARG_LINK} GTest::gtest_main GTest::gmock rapidcheck)
  target_compile_definitions(test_${ARG_NAME} PRIVATE PLAIT_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME ${ARG_NAME} COMMAND test_${ARG_NAME})
  # Tests run side by side: one that takes all cores for itself slows every other.
  set_tests_properties(${ARG_NAME} PROPERTIES ENVIRONMENT OMP_NUM_THREADS=1)
endfunction()

# plait_embed(TARGET plait_x FUNCTION hardware_files FILES a.json ...): compiles files into a target. Declares nothing:
# the module's own code declares `std::span<const plait::spec::EmbeddedFile> plait::embedded::<FUNCTION>();`
# (src/spec/embedded_file.h). Names are file names without folders.
function(plait_embed)
  cmake_parse_arguments(ARG "" "TARGET;FUNCTION" "FILES" ${ARGN})
  set(source ${CMAKE_CURRENT_BINARY_DIR}/embedded_${ARG_FUNCTION}.cpp)
  set(blobs "")
  set(rows "")
  set(index 0)
  set(paths "")
  foreach(file IN LISTS ARG_FILES)
    cmake_path(ABSOLUTE_PATH file OUTPUT_VARIABLE path)
    cmake_path(GET path FILENAME name)
    set(symbol plait_${ARG_FUNCTION}_${index})
    string(APPEND blobs "asm(\".section .rodata\\n.globl ${symbol}\\n${symbol}:\\n.incbin \\\"${path}\\\"\\n.globl ${symbol}_end\\n${symbol}_end:\\n.byte 0\\n.previous\");\n"
                        "extern \"C\" const char ${symbol}[];\nextern \"C\" const char ${symbol}_end[];\n")
    string(APPEND rows "    {\"${name}\", {${symbol}, static_cast<std::size_t>(${symbol}_end - ${symbol})}},\n")
    list(APPEND paths ${path})
    math(EXPR index "${index} + 1")
  endforeach()
  file(CONFIGURE OUTPUT ${source} CONTENT
"#include <span>
#include \"src/spec/embedded_file.h\"
@blobs@
namespace plait::embedded {
std::span<const spec::EmbeddedFile> @ARG_FUNCTION@();
std::span<const spec::EmbeddedFile> @ARG_FUNCTION@() {
  static const spec::EmbeddedFile files[] = {
@rows@  };
  return files;
}
}  // namespace plait::embedded
" @ONLY)
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS "${paths}")
  target_sources(${ARG_TARGET} PRIVATE ${source})
endfunction()
