// smap._core: the solver and kernels on NumPy arrays, without torch.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "core/associate.h"
#include "core/peaks.h"
#include "core/text.h"

namespace py = pybind11;

namespace smap {
namespace {

/// Sizes and strides of a NumPy array in units of elements; an extent of -1 is free.
template <size_t N, class Out>
void fill(Out& out, const py::array& array, const char* what, const int64_t (&shape)[N]) {
  bool fits = array.ndim() == static_cast<py::ssize_t>(N);
  for (size_t d = 0; fits && d < N; ++d) fits = shape[d] < 0 || array.shape(d) == shape[d];
  if (!fits) {
    const std::vector<int64_t> got(array.shape(), array.shape() + array.ndim());
    throw std::invalid_argument(std::string(what) + " must have shape " + shape_text(shape, N) + ", got " +
                                shape_text(got.data(), got.size()));
  }
  for (size_t d = 0; d < N; ++d) {
    if (array.strides(d) % array.itemsize() != 0) {
      throw std::invalid_argument(std::string(what) +
                                  " must have aligned elements, got an array that steps between them");
    }
    out.size[d] = array.shape(d);
    out.stride[d] = array.strides(d) / array.itemsize();
  }
}

[[noreturn]] void wrong_dtype(const py::array& array, const char* what, const char* rule) {
  throw std::invalid_argument(std::string(what) + " must be " + rule + ", got " +
                              py::str(array.dtype()).cast<std::string>());
}

template <class T, size_t N>
View<const T, N> view(const py::array& array, const char* what, const int64_t (&shape)[N]) {
  if (!array.dtype().equal(py::dtype::of<T>())) {
    wrong_dtype(array, what, py::str(py::dtype::of<T>()).template cast<std::string>().c_str());
  }
  View<const T, N> out;
  fill(out, array, what, shape);
  out.data = static_cast<const T*>(array.data());
  return out;
}

/// float32 or float16; NumPy has no bfloat16.
template <size_t N>
MapView<N> map_view(const py::array& array, const char* what, const int64_t (&shape)[N]) {
  MapView<N> out;
  if (array.dtype().equal(py::dtype::of<float>())) {
    out.type = Element::kFloat32;
  } else if (array.dtype().equal(py::dtype("float16"))) {
    out.type = Element::kFloat16;
  } else {
    wrong_dtype(array, what, "float32 or float16");
  }
  fill(out, array, what, shape);
  out.data = array.data();
  return out;
}

template <class T, int N>
py::array_t<T> result(View<T, N>& view, const int64_t (&shape)[static_cast<size_t>(N)]) {
  py::array_t<T> array(std::vector<py::ssize_t>(shape, shape + N));
  fill(view, array, "result", shape);
  view.data = array.mutable_data();
  return array;
}

py::tuple find_peaks(const py::array& heatmaps, float threshold, float scale, int64_t capacity, bool official) {
  check_peak_rules(threshold, scale, capacity);
  FindPeaks find;
  find.heatmaps = map_view(heatmaps, "heatmaps", {-1, -1, -1, -1});
  const int64_t batch = find.heatmaps.size[0], joints = find.heatmaps.size[1];
  find.threshold = threshold;
  find.scale = scale;
  find.official = official;
  auto xy = result(find.xy, {batch, joints, capacity, 2});
  auto score = result(find.score, {batch, joints, capacity});
  auto count = result(find.count, {batch, joints});
  {
    py::gil_scoped_release others;
    find_peaks_on_host(find);
  }
  return py::make_tuple(xy, score, count);
}

py::tuple associate(const py::array& pafs, const py::array& limb_depths, const py::array& root_depth,
                    const py::array& xy, const py::array& score, const py::array& count, const py::array& limbs,
                    const py::array& lengths, const std::string& mode, int64_t max_people, int64_t min_joints,
                    float min_score, float max_overlap, bool half_bodies, bool ordinal_prior, double length_slack,
                    float scale, float sample_threshold, float counted_share, bool official) {
  Associate body;
  body.pafs = map_view(pafs, "pafs", {-1, -1, 2, -1, -1});
  const int64_t batch = body.pafs.size[0], limbs_count = body.pafs.size[1];
  const int64_t h = body.pafs.size[3], w = body.pafs.size[4];
  check(h > 0 && w > 0, "pafs", "have at least one pixel", "an empty map");
  body.limb_depths = map_view(limb_depths, "limb_depths", {batch, limbs_count, h, w});
  body.root_depth = map_view(root_depth, "root_depth", {batch, h, w});
  body.xy = view<float>(xy, "xy", {batch, -1, -1, 2});
  const int64_t joints = body.xy.size[1], capacity = body.xy.size[2];
  check(joints > 0, "xy", "have at least one joint", "none");
  check_rules(max_people, joints, counted_share);
  body.score = view<float>(score, "score", {batch, joints, capacity});
  body.count = view<int64_t>(count, "count", {batch, joints});
  body.limbs = view<int64_t>(limbs, "limbs", {limbs_count, 3});
  body.lengths = view<double>(lengths, "lengths", {limbs_count});
  body.options.mode = association_named(mode);
  body.options.limb = {scale, sample_threshold, counted_share, official};
  body.options.length_slack = length_slack;
  body.options.half_bodies = half_bodies;
  body.options.ordinal_prior = ordinal_prior;
  body.options.min_joints = min_joints;
  body.options.min_score = min_score;
  body.options.max_overlap = max_overlap;
  auto people = result(body.people, {batch, max_people, joints});
  auto people_count = result(body.people_count, {batch});
  auto root_depths = result(body.root_depths, {batch, max_people});
  {
    py::gil_scoped_release others;
    associate_on_host(body);
  }
  return py::make_tuple(people, people_count, root_depths);
}

}  // namespace
}  // namespace smap

PYBIND11_MODULE(_core, m) {
  m.doc() = "smap's compiled core on NumPy arrays: no torch needed. Arguments and results as in smap.ops.";
  m.def("find_peaks", &smap::find_peaks, "Peaks of heatmaps: xy, score, count. See smap.ops.find_peaks.",
        py::arg("heatmaps"), py::arg("threshold") = 0.1f, py::arg("scale") = 1.0f, py::arg("capacity") = 127,
        py::arg("official") = false);
  m.def("associate", &smap::associate, "Peaks to people: people, count, root_depths. See smap.ops.associate.",
        py::arg("pafs"), py::arg("limb_depths"), py::arg("root_depth"), py::arg("xy"), py::arg("score"),
        py::arg("count"), py::arg("limbs"), py::arg("lengths"), py::arg("mode") = "optimal",
        py::arg("max_people") = 127, py::arg("min_joints") = 2, py::arg("min_score") = 0.0f,
        py::arg("max_overlap") = 1.0f, py::arg("half_bodies") = true, py::arg("ordinal_prior") = true,
        py::arg("length_slack") = 1.2, py::arg("scale") = 1.0f, py::arg("sample_threshold") = 0.05f,
        py::arg("counted_share") = 0.8f, py::arg("official") = false);
}
