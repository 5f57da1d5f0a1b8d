# The desktop app's libraries, when PLAIT_GUI and the machine allow; sets PLAIT_HAVE_GUI and PLAIT_GUI_WHY.
# Dear ImGui and ImPlot are compiled from what cmake/fetch_imgui.sh makes, as the target plait_imgui; the window needs GLFW.
set(PLAIT_IMGUI_ROOT "${CMAKE_SOURCE_DIR}/.deps/imgui" CACHE PATH "Folder with the sources imgui/ and implot/")
set(PLAIT_HAVE_GUI OFF)
if(NOT PLAIT_GUI MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "PLAIT_GUI is \"${PLAIT_GUI}\"; it takes AUTO, ON or OFF")
elseif(PLAIT_GUI STREQUAL "OFF")
  set(PLAIT_GUI_WHY "off with PLAIT_GUI=OFF")
  return()
endif()

set(missing "")
if(NOT EXISTS "${PLAIT_IMGUI_ROOT}/imgui/imgui.h" OR NOT EXISTS "${PLAIT_IMGUI_ROOT}/implot/implot.h")
  list(APPEND missing "Dear ImGui is not in ${PLAIT_IMGUI_ROOT} (cmake/fetch_imgui.sh fetches it)")
endif()
find_package(glfw3 3.3 QUIET)
if(NOT glfw3_FOUND)
  list(APPEND missing "GLFW was not found (package libglfw3-dev)")
endif()
find_package(OpenGL QUIET COMPONENTS OpenGL)
if(NOT OpenGL_FOUND)
  list(APPEND missing "OpenGL was not found (package libgl-dev)")
endif()
if(missing)
  list(JOIN missing ", " PLAIT_GUI_WHY)
  if(PLAIT_GUI STREQUAL "ON")
    message(FATAL_ERROR "${PLAIT_GUI_WHY}")
  endif()
  return()
endif()

set(PLAIT_HAVE_GUI ON)
set(PLAIT_GUI_WHY "plait-gui, with Dear ImGui and GLFW ${glfw3_VERSION}")
set(imgui ${PLAIT_IMGUI_ROOT}/imgui)
set(implot ${PLAIT_IMGUI_ROOT}/implot)
add_library(plait_imgui STATIC
  ${imgui}/imgui.cpp ${imgui}/imgui_draw.cpp ${imgui}/imgui_tables.cpp ${imgui}/imgui_widgets.cpp ${imgui}/imgui_stacklayout.cpp
  ${imgui}/misc/cpp/imgui_stdlib.cpp ${implot}/implot.cpp ${implot}/implot_items.cpp gui/item_recorder.cpp)
target_include_directories(plait_imgui SYSTEM PUBLIC ${imgui} ${imgui}/misc/cpp ${implot})
target_include_directories(plait_imgui PRIVATE ${CMAKE_SOURCE_DIR})
target_compile_definitions(plait_imgui
  PUBLIC IMGUI_DISABLE_OBSOLETE_FUNCTIONS IMGUI_DEFINE_MATH_OPERATORS ImDrawIdx=unsigned\ int
         # Calls the functions of gui/item_recorder.cpp for every item once they are switched on: the tests press buttons by name.
         IMGUI_ENABLE_TEST_ENGINE
  PRIVATE "IMPLOT_CUSTOM_NUMERIC_TYPES=(double)")
# The default of a build without a type is unoptimised: a frame would take ten times as long.
target_compile_options(plait_imgui PRIVATE -O2)
if(PLAIT_SANITIZE)
  target_link_libraries(plait_imgui PUBLIC plait_flags)
endif()

# The window and its drawing; only the program itself needs it.
add_library(plait_imgui_window STATIC ${imgui}/backends/imgui_impl_glfw.cpp ${imgui}/backends/imgui_impl_opengl3.cpp)
target_include_directories(plait_imgui_window SYSTEM PUBLIC ${imgui}/backends)
target_link_libraries(plait_imgui_window PUBLIC plait_imgui glfw OpenGL::GL ${CMAKE_DL_LIBS})
