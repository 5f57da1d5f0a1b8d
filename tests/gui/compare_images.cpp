#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <vector>

#include "src/report/png_file.h"

#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_PNG
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

/// compare_images SCREENSHOT GOLDEN: whether a screenshot looks like its golden image, a small copy of an earlier one.
/// Both are compared at a width of kWidth pixels, so that how a driver or font version draws edges averages out. With
/// UPDATE_GOLDEN set the golden image is replaced. Exit code 1: it looks different; SCREENSHOT.small.png is what it
/// looks like now.
namespace {

constexpr int kWidth = 160;
constexpr int kTolerance = 24;           // of a channel, of 255
constexpr double kMostDifferent = 0.03;  // share of the pixels

struct Image {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;  // [height][width][3]
};

Image read(const char* file) {
  Image image;
  int channels = 0;
  unsigned char* pixels = stbi_load(file, &image.width, &image.height, &channels, 3);
  if (pixels == nullptr) {
    std::fprintf(stderr, "compare_images: cannot read %s\n", file);
    std::exit(2);
  }
  image.pixels.assign(pixels, pixels + 3 * image.width * image.height);
  stbi_image_free(pixels);
  return image;
}

/// Means of boxes.
Image shrunk(const Image& image) {
  Image out;
  out.width = kWidth;
  out.height = kWidth * image.height / image.width;
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      const int x0 = x * image.width / out.width, x1 = (x + 1) * image.width / out.width;
      const int y0 = y * image.height / out.height, y1 = (y + 1) * image.height / out.height;
      for (int c = 0; c < 3; ++c) {
        long sum = 0;
        for (int v = y0; v < y1; ++v) {
          for (int u = x0; u < x1; ++u) sum += image.pixels[static_cast<std::size_t>(3 * (v * image.width + u) + c)];
        }
        out.pixels.push_back(static_cast<std::uint8_t>(sum / ((x1 - x0) * (y1 - y0))));
      }
    }
  }
  return out;
}

void write(const Image& image, const std::string& file) {
  const std::vector<std::uint8_t> png = plait::report::png_file(image.pixels, image.width, image.height);
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(png.data()), static_cast<std::streamsize>(png.size()));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "compare_images SCREENSHOT GOLDEN\n");
    return 2;
  }
  const Image now = shrunk(read(argv[1]));
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    write(now, argv[2]);
    return 0;
  }
  const Image golden = read(argv[2]);
  if (golden.width != now.width || golden.height != now.height) {
    std::fprintf(stderr, "compare_images: %s is %d x %d when it is small, its golden image %d x %d\n", argv[1],
                 now.width, now.height, golden.width, golden.height);
    return 1;
  }
  std::size_t different = 0;
  int most = 0;
  for (std::size_t i = 0; i < now.pixels.size(); i += 3) {
    int largest = 0;
    for (std::size_t c = i; c < i + 3; ++c) largest = std::max(largest, std::abs(now.pixels[c] - golden.pixels[c]));
    most = std::max(most, largest);
    different += largest > kTolerance;
  }
  const double share = static_cast<double>(different) / (static_cast<double>(now.pixels.size()) / 3);
  std::printf("%s: %.2f %% of the pixels differ by more than %d, the most by %d\n", argv[1], 100 * share, kTolerance,
              most);
  if (share <= kMostDifferent) return 0;
  write(now, std::string(argv[1]) + ".small.png");
  return 1;
}
