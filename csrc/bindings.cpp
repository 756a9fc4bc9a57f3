// smap._core: the solver and kernels on NumPy arrays, without torch.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

namespace py = pybind11;

PYBIND11_MODULE(_core, m) {
  m.doc() = "smap's compiled core on NumPy arrays: no torch needed.";
}
