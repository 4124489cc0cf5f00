// Legend: B batch, T query tokens, S key tokens, H query heads, G key/value heads, D head width;
//         a product is [M, K] x [K, N].
#include "graticule/dry/kernel_recorder.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/function_schema.h>
#include <ATen/record_function.h>

#include <algorithm>
#include <string_view>

#include "graticule/core/error.h"

namespace graticule {

namespace {

thread_local KernelRecorder* current_recorder = nullptr;

using Values = c10::ArrayRef<const c10::IValue>;

double bytes_of(const at::Tensor& x) {
  if (!x.defined() || !x.has_storage()) return 0;
  return static_cast<double>(std::min<int64_t>(x.numel() * x.element_size(), x.storage().nbytes()));
}

double bytes_of(const c10::IValue& value) {
  if (value.isTensor()) return bytes_of(value.toTensor());
  double sum = 0;
  if (value.isTensorList()) {
    for (const at::Tensor& x : value.toTensorVector()) sum += bytes_of(x);
  }
  return sum;
}

double bytes_of(Values values) {
  double sum = 0;
  for (const c10::IValue& value : values) sum += bytes_of(value);
  return sum;
}

Kernel product(Values operands) {
  const at::Tensor &a = operands[0].toTensor(), &b = operands[1].toTensor();
  const int64_t M = a.size(0), K = a.size(1), N = b.size(1);
  return {Kernel::Kind::linear, 2 * static_cast<double>(M) * static_cast<double>(K) * static_cast<double>(N),
          bytes_of(operands) + static_cast<double>(M * N * a.element_size()), std::min({M, K, N})};
}

// `products`: 2 in forward, 5 in backward, of 2 B T S H D operations each.
Kernel attention(Values qkv, double products) {
  const at::Tensor &q_BTHD = qkv[0].toTensor(), &k_BSGD = qkv[1].toTensor();
  const auto pairs = static_cast<double>(q_BTHD.numel()) * static_cast<double>(k_BSGD.size(1));
  return {Kernel::Kind::attention, 2 * products * pairs, bytes_of(qkv) + bytes_of(qkv[0]), q_BTHD.size(3)};
}

std::string_view name_without_overload(const at::RecordFunction& function) {
  const std::string_view name = function.name();
  return name.substr(0, name.find('.'));
}

bool only_writes(std::string_view name) {
  return name == "aten::copy_" || name == "aten::zero_" || name == "aten::fill_";
}

// Bytes of the arguments: every tensor is read; tensors that the schema marks as written count once more.
double argument_bytes(const c10::FunctionSchema& schema, std::string_view name, Values values) {
  double sum = 0;
  for (size_t i = 0; i < std::min(values.size(), schema.arguments().size()); ++i) {
    const c10::AliasInfo* alias = schema.arguments()[i].alias_info();
    const bool written = alias && alias->isWrite();
    const double times = !written || only_writes(name) ? 1 : 2;
    sum += times * bytes_of(values[i]);
  }
  return sum;
}

// A view returns an argument, and the creation of an empty tensor writes nothing.
bool moves_nothing(const c10::FunctionSchema& schema, std::string_view name) {
  const auto is_view = [](const c10::Argument& result) {
    return result.alias_info() && !result.alias_info()->isWrite();
  };
  return std::any_of(schema.returns().begin(), schema.returns().end(), is_view) ||
         name.find("empty") != std::string_view::npos || name == "aten::set_" || name == "aten::resize_";
}

double result_bytes(const c10::FunctionSchema& schema, Values results) {
  double sum = 0;
  for (size_t i = 0; i < std::min(results.size(), schema.returns().size()); ++i) {
    if (!schema.returns()[i].alias_info()) sum += bytes_of(results[i]);
  }
  return sum;
}

}  // namespace

KernelRecorder::KernelRecorder(Seen seen) : seen_(std::move(seen)) {
  GRATICULE_CHECK(!current_recorder, "two recorders on one thread");
  current_recorder = this;
  handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(begin, end)
                                           .needsInputs(true)
                                           .needsOutputs(true)
                                           .scopes({at::RecordScope::FUNCTION}));
}

KernelRecorder::~KernelRecorder() {
  at::removeCallback(handle_);
  current_recorder = nullptr;
}

std::unique_ptr<at::ObserverContext> KernelRecorder::begin(const at::RecordFunction& function) {
  if (current_recorder) current_recorder->begins(function);
  return nullptr;
}

void KernelRecorder::end(const at::RecordFunction& function, at::ObserverContext*) {
  if (current_recorder) current_recorder->ends(function);
}

void KernelRecorder::begins(const at::RecordFunction& function) {
  const std::string_view name = name_without_overload(function);
  const Values inputs = function.inputs();
  const auto schema = function.operator_schema();
  Call call;
  call.is_ours = true, call.seen_before = count_;
  if (name == "graticule::product") {
    call.kernel = product(inputs);
  } else if (name == "graticule::flash_forward") {
    call.kernel = attention(inputs, 2);
  } else if (name == "graticule::flash_backward") {
    call.kernel = attention(inputs, 5);
  } else if (name == "graticule::sum_of_parts" || name == "graticule::pointwise") {
    call.kernel.bytes = bytes_of(inputs);
  } else {
    call.is_ours = false;
    call.is_update = name == "graticule::update";
    if (schema && !moves_nothing(*schema, name)) call.kernel.bytes = argument_bytes(*schema, name, inputs);
  }
  calls_.push_back(call);
}

void KernelRecorder::ends(const at::RecordFunction& function) {
  if (calls_.empty()) return;  // it began before the recorder
  Call call = calls_.back();
  calls_.pop_back();
  const bool within = std::any_of(calls_.begin(), calls_.end(), [](const Call& c) { return c.is_ours; });
  const bool has_parts = !call.is_ours && count_ > call.seen_before;
  if (within || has_parts) return;
  const auto schema = function.operator_schema();
  if (!call.is_ours && schema && !moves_nothing(*schema, name_without_overload(function))) {
    const auto& results = function.outputs();
    call.kernel.bytes += result_bytes(*schema, Values(results.data(), results.size()));
  }
  if (call.kernel.flops == 0 && call.kernel.bytes == 0) return;
  ++count_;
  seen_(call.kernel, std::any_of(calls_.begin(), calls_.end(), [](const Call& c) { return c.is_update; }));
}

}  // namespace graticule
