// Runs one method of an ExecuTorch program on inputs from a file: run_program PROGRAM METHOD IN OUT
//
// IN holds tensors, one after the other; each is the only argument of one execution. OUT gets, for
// every execution, an int32 number of outputs and the outputs. A tensor is its int32 rank, its
// int32 sizes and its float32 elements, all in the byte order of the machine.
//
// Prints the seconds of loading and then of every execution, a line each. A fault is one line
// `error: ...` on stderr, the last, and exit status 1.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>
#include <executorch/extension/threadpool/threadpool_guard.h>

namespace {

using executorch::aten::ScalarType;
using executorch::extension::from_blob;
using executorch::extension::module::Module;
using executorch::extension::threadpool::NoThreadPoolGuard;
using executorch::runtime::Error;

constexpr int32_t kLargestRank = 8;
constexpr int64_t kMostElements = int64_t{1} << 30;

struct Tensor {
  std::vector<int32_t> sizes;
  std::vector<float> elements;
};

void require(Error status, const std::string& what) {
  if (status != Error::Ok) {
    throw std::runtime_error(what + ": " + executorch::runtime::to_string(status));
  }
}

// False at the end of the file; throws if it ends amid a tensor.
bool read_tensor(std::ifstream& file, Tensor& tensor) {
  const auto read = [&file](void* place, size_t bytes) {
    if (!file.read(static_cast<char*>(place), static_cast<std::streamsize>(bytes))) {
      throw std::runtime_error("the inputs end amid a tensor");
    }
  };
  if (file.peek() == std::ifstream::traits_type::eof()) {
    return false;
  }
  int32_t rank = 0;
  read(&rank, sizeof rank);
  if (rank < 0 || rank > kLargestRank) {
    throw std::runtime_error("an input has rank " + std::to_string(rank));
  }
  tensor.sizes.resize(static_cast<size_t>(rank));
  read(tensor.sizes.data(), tensor.sizes.size() * sizeof(int32_t));
  int64_t count = 1;
  for (const int32_t size : tensor.sizes) {
    if (size < 1 || size > kMostElements / count) {
      throw std::runtime_error("an input is empty or too large");
    }
    count *= size;
  }
  tensor.elements.resize(static_cast<size_t>(count));
  read(tensor.elements.data(), tensor.elements.size() * sizeof(float));
  return true;
}

template <typename T>
void write(std::ofstream& file, const T* values, size_t count) {
  file.write(reinterpret_cast<const char*>(values), static_cast<std::streamsize>(count * sizeof(T)));
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void run(const char* program, const std::string& method, const char* inputs, const char* outputs) {
  // The runtime's threads would only wait for each other under an emulator.
  const NoThreadPoolGuard one_thread;
  std::ifstream in(inputs, std::ios::binary);
  std::ofstream out(outputs, std::ios::binary);
  if (!in || !out) {
    throw std::runtime_error(std::string("cannot open ") + (in ? outputs : inputs));
  }
  Module module(program, Module::LoadMode::Mmap);
  const double loading = seconds_of([&] { require(module.load_method(method), "loading " + method); });
  std::printf("%.6f\n", loading);
  Tensor input;
  while (read_tensor(in, input)) {
    const auto argument = from_blob(input.elements.data(), input.sizes);
    std::vector<executorch::runtime::EValue> results;
    const double running = seconds_of([&] {
      auto result = module.execute(method, argument);
      require(result.error(), "running " + method);
      results = std::move(result.get());
    });
    std::printf("%.6f\n", running);
    const auto number = static_cast<int32_t>(results.size());
    write(out, &number, 1);
    for (const auto& value : results) {
      if (!value.isTensor() || value.toTensor().scalar_type() != ScalarType::Float) {
        throw std::runtime_error(method + " has an output that is no float32 tensor");
      }
      const auto& tensor = value.toTensor();
      const auto rank = static_cast<int32_t>(tensor.dim());
      write(out, &rank, 1);
      write(out, tensor.sizes().data(), tensor.sizes().size());
      write(out, tensor.const_data_ptr<float>(), static_cast<size_t>(tensor.numel()));
    }
  }
  if (!out.flush()) {
    throw std::runtime_error(std::string("cannot write ") + outputs);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "error: usage: run_program PROGRAM METHOD INPUTS OUTPUTS\n");
    return 1;
  }
  try {
    run(argv[1], argv[2], argv[3], argv[4]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  return 0;
}
