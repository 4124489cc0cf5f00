#!/bin/sh
# The wheel of CUDA's compiler asks for its parts without a version, so pip gives it newer ones than it can use.
#
# Seen with: nvidia-cuda-nvcc 13.0.88, nvidia-nvvm and nvidia-cuda-crt 13.5.37, PyPI, 2026-11-30. No GPU is needed.
# Behaviour: nvidia-cuda-nvcc holds nvcc and the assembler ptxas. The part that makes PTX from C++ is in nvidia-nvvm, which the
# wheel requires in any version. `pip install nvidia-cuda-nvcc==13.0.88` brought 13.5.37 of it, which writes PTX 9.5; ptxas of
# 13.0 reads 9.0 at most and stops. So a pinned compiler stops working on the day on which a newer part is published.
# Who meets it: PyTorch 2.14.1's wheels are made with CUDA 13.0, and one wants that compiler beside them.
# What to do: name the versions of all parts (tools/cuda.sh does).
# Output seen: "Unsupported .version 9.5; current version is '9.0'", and with nvidia-nvvm and nvidia-cuda-crt 13.0.88 a kernel of
# 3,696 bytes.
# Fails if the wheel names versions, or if the parts work together.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
install() { env/bin/python -m pip --disable-pip-version-check install --quiet "$@" 2> pip.log || { cat pip.log >&2; exit 1; }; }
install nvidia-cuda-nvcc==13.0.88 nvidia-cuda-runtime==13.0.96 nvidia-nvvm==13.5.37 nvidia-cuda-crt==13.5.37
env/bin/python - << 'PYTHON'
from importlib.metadata import requires

parts = sorted(name for name in requires("nvidia-cuda-nvcc"))
print("nvidia-cuda-nvcc 13.0.88 requires", parts)
assert parts == ["nvidia-cuda-crt", "nvidia-cuda-runtime", "nvidia-nvvm"], "the versions are named now"
PYTHON
root=$(env/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/nvidia/cu13
echo '__global__ void twice(float* x) { x[threadIdx.x] *= 2; }' > twice.cu
if "$root/bin/nvcc" -cubin -arch=sm_90 twice.cu -o twice.cubin > told.log 2>&1; then
  echo "nvcc 13.0.88 with nvvm 13.5.37 compiles: it did not before" >&2
  exit 1
fi
cat told.log
grep -q "Unsupported .version 9.5" told.log
install nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88
"$root/bin/nvcc" -cubin -arch=sm_90 twice.cu -o twice.cubin
echo "with nvvm and crt 13.0.88 the same file compiles: $(wc -c < twice.cubin) bytes"
