// People in a picture, in metres, without Python.
//
//   smap export --compile smap.pt2
//   cmake -S examples/cpp -B build/people -DCMAKE_BUILD_TYPE=Release \
//         -DCMAKE_PREFIX_PATH=$(python -c 'import torch; print(torch.utils.cmake_prefix_path)')
//   cmake --build build/people
//   build/people/people smap.pt2 $(python -c 'import smap.ops; print(smap.ops.LIBRARIES)') picture.ppm [fx fy cx cy]
//
// Prints a line for each joint that was found: person, joint, x y z in metres, u v in image pixels, score.

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <dlfcn.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

struct Picture {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;

  /// Grey outside, as the library pads.
  float at(int x, int y, int channel) const {
    const bool inside = x >= 0 && y >= 0 && x < width && y < height;
    return inside ? rgb[(static_cast<size_t>(y) * width + x) * 3 + channel] : 128.0F;
  }

  /// Bilinear; pixel centres are at integers.
  float at(float x, float y, int channel) const {
    const int x0 = static_cast<int>(std::floor(x)), y0 = static_cast<int>(std::floor(y));
    const float u = x - static_cast<float>(x0), v = y - static_cast<float>(y0);
    const float top = at(x0, y0, channel) * (1 - u) + at(x0 + 1, y0, channel) * u;
    const float bottom = at(x0, y0 + 1, channel) * (1 - u) + at(x0 + 1, y0 + 1, channel) * u;
    return top * (1 - v) + bottom * v;
  }
};

/// A binary PPM file (P6, 8 bits).
Picture read_ppm(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string magic;
  Picture picture;
  int top = 0;
  if (!(file >> magic >> picture.width >> picture.height >> top) || magic != "P6" || top != 255 || picture.width < 1 ||
      picture.height < 1) {
    throw std::runtime_error("picture must be a binary PPM file without comments, got " + path);
  }
  file.get();  // the one white space before the pixels
  picture.rgb.resize(static_cast<size_t>(picture.width) * picture.height * 3);
  if (!file.read(reinterpret_cast<char*>(picture.rgb.data()), static_cast<std::streamsize>(picture.rgb.size()))) {
    throw std::runtime_error("picture must hold all of its pixels, got " + path);
  }
  return picture;
}

/// The picture scaled to fit a canvas and centred: `smap.Letterbox`.
struct Letterbox {
  int width, height;  // of the canvas
  float scale;        // canvas pixels per picture pixel
  float pad_x, pad_y;

  Letterbox(const Picture& picture, int width, int height)
      : width(width),
        height(height),
        scale(std::min(static_cast<float>(width) / picture.width, static_cast<float>(height) / picture.height)),
        pad_x((width - picture.width * scale) / 2),
        pad_y((height - picture.height * scale) / 2) {}

  /// (1, height, width, 3) uint8. Below half size a canvas pixel is the mean of several places under it.
  at::Tensor apply(const Picture& picture) const {
    at::Tensor canvas = at::empty({1, height, width, 3}, at::kByte);
    uint8_t* out = canvas.data_ptr<uint8_t>();
    const int n = std::max(1, static_cast<int>(std::floor(1 / scale)));
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        for (int channel = 0; channel < 3; ++channel) {
          float sum = 0;
          for (int i = 0; i < n * n; ++i) {
            const float canvas_x = x + (i % n + 0.5F) / n, canvas_y = y + (i / n + 0.5F) / n;
            sum += picture.at((canvas_x - pad_x) / scale - 0.5F, (canvas_y - pad_y) / scale - 0.5F, channel);
          }
          *out++ = static_cast<uint8_t>(std::lround(sum / (n * n)));
        }
      }
    }
    return canvas;
  }

  /// map = picture * scale + offset, and the metres of one unit of normalised depth: `smap.lift.Views.frames`.
  at::Tensor frame(float fx, int stride) const {
    const float to_map = scale / stride;
    return at::tensor({to_map, to_map / 2 + pad_x / stride - 0.5F, to_map / 2 + pad_y / stride - 0.5F,
                       fx * scale / static_cast<float>(width)})
        .reshape({1, 4});
  }
};

void load_library(const std::string& path) {
  if (dlopen(path.c_str(), RTLD_NOW) == nullptr) throw std::runtime_error(dlerror());
}

int run(const std::vector<std::string>& args) {
  const Picture picture = read_ppm(args[2]);
  const auto width = static_cast<float>(picture.width), height = static_cast<float>(picture.height);
  std::array<float, 4> camera{width, width, (width - 1) / 2, (height - 1) / 2};  // a guess: depth is proportional to fx
  for (size_t i = 3; i < args.size(); ++i) camera[i - 3] = std::stof(args[i]);

  // The package calls torch.ops.smap.*: their libraries register them as they are loaded, and stay.
  load_library(args[1] + "/_ops.so");
  torch::inductor::AOTIModelPackageLoader program(args[0]);
  auto metadata = program.get_metadata();
  if (metadata.at("smap.format") != "3") throw std::runtime_error("package must be of format 3, export it anew");
  const int stride = std::stoi(metadata.at("smap.stride"));
  const Letterbox box(picture, std::stoi(metadata.at("smap.input_width")), std::stoi(metadata.at("smap.input_height")));

  // A program does not check its inputs: sizes, dtypes and device must be these. Any number of pictures may be stacked.
  const c10::InferenceMode guard;
  const at::Device device(metadata.at("smap.device"));
  if (device.is_cuda()) load_library(args[1] + "/_ops_cuda.so");
  const at::Tensor cameras = at::tensor(at::ArrayRef<float>(camera.data(), 4)).reshape({1, 4});
  std::vector<at::Tensor> outputs =
      program.run({box.apply(picture).to(device), box.frame(camera[0], stride).to(device), cameras.to(device)});

  for (at::Tensor& output : outputs) output = output.cpu()[0];
  const at::Tensor joints_3d = outputs[0], joints_2d = outputs[1], scores = outputs[2];
  std::istringstream names(metadata.at("smap.joints"));
  const std::vector<std::string> joints{std::istream_iterator<std::string>(names), {}};
  for (int64_t person = 0; person < outputs[4].item<int64_t>(); ++person) {
    for (int64_t joint = 0; joint < static_cast<int64_t>(joints.size()); ++joint) {
      const float score = scores[person][joint].item<float>();
      if (score <= 0) continue;
      std::printf("%d %s", static_cast<int>(person), joints[joint].c_str());
      for (int axis = 0; axis < 3; ++axis) std::printf(" %.5f", joints_3d[person][joint][axis].item<float>());
      for (int axis = 0; axis < 2; ++axis) std::printf(" %.3f", joints_2d[person][joint][axis].item<float>());
      std::printf(" %.5f\n", score);
    }
  }
  return 0;
}

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() != 3 && args.size() != 7) {
    std::fprintf(stderr, "usage: people PACKAGE.pt2 LIBRARIES PICTURE.ppm [FX FY CX CY]\n");
    return 2;
  }
  try {
    return run(args);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "people: %s\n", error.what());
    return 2;
  }
}
