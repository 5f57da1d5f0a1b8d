#include <new>
#include <stdexcept>

#include "src/report/draw_figure.h"
#include "src/report/png_file.h"
#include "src/report/report.h"

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

namespace plait::report {

std::vector<std::uint8_t> png_file(std::span<const std::uint8_t> pixels, int width, int height) {
  std::vector<std::uint8_t> file;
  const auto append = [](void* context, void* data, int size) {
    const auto* bytes = static_cast<const std::uint8_t*>(data);
    static_cast<std::vector<std::uint8_t>*>(context)->insert(static_cast<std::vector<std::uint8_t>*>(context)->end(),
                                                             bytes, bytes + size);
  };
  if (stbi_write_png_to_func(append, &file, width, height, 3, pixels.data(), width * 3) == 0) throw std::bad_alloc();
  return file;
}

std::vector<std::uint8_t> png_file(const RasterCanvas& canvas) {
  return png_file(canvas.pixels(), canvas.width(), canvas.height());
}

std::vector<std::uint8_t> to_png(const Figure& figure, const FigureOptions& options) {
  validate(figure);
  validate(options);
  RasterCanvas canvas(options.width, options.height, options.scale, palette(options.theme).background);
  draw_figure(figure, options.width, options.height, options.theme, canvas);
  return png_file(canvas);
}

}  // namespace plait::report
