#!/usr/bin/env bash
# Installs the real trainer (sleap-nn) for CPU only, from the package index alone, into the venv DEST.
#
#     scripts/install-trainer-cpu.sh DEST        # then SLEAP_RTC_TRAINER=DEST/bin/sleap-nn
#
# Needs Python 3.11, 3.12 or 3.13 (SLEAP_RTC_PYTHON names one, else the first that is found), gcc and binutils;
# Linux on x86_64. About 860 MB to download, 2.3 GB on disk. Never on a box with a GPU: CUDA is left out and stubbed.
# Run again it does nothing: the marker file, written last, holds the hash of this recipe.
set -euo pipefail

[ $# -eq 1 ] || { echo "usage: $0 DEST" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dest=$1
marker="$dest/.sleap-rtc-trainer"
recipe=$(cat "${BASH_SOURCE[0]}" "$here/stub_cuda.py" | sha256sum | cut -d' ' -f1)

if [ -x "$dest/bin/sleap-nn" ] && [ "$(cat "$marker" 2>/dev/null)" = "$recipe" ]; then
    echo "trainer: $dest is complete"
    exit 0
fi

fits() { "$1" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1; }
python=
for candidate in ${SLEAP_RTC_PYTHON:+"$SLEAP_RTC_PYTHON"} python3.11 python3.12 python3.13 python3; do
    if fits "$candidate"; then python=$candidate; break; fi
done
[ -n "$python" ] || { echo "trainer: no Python 3.11 to 3.13 found; set SLEAP_RTC_PYTHON to one" >&2; exit 1; }
for tool in gcc nm readelf ldd; do
    command -v "$tool" >/dev/null || { echo "trainer: $tool is missing; install gcc and binutils" >&2; exit 1; }
done

# One installer at a time for one DEST; the second waits and then finds it complete.
mkdir -p "$(dirname "$dest")"
if [ "${SLEAP_RTC_INSTALL_LOCKED:-}" != "$dest" ] && command -v flock >/dev/null; then
    SLEAP_RTC_INSTALL_LOCKED=$dest exec flock "$dest.lock" "${BASH_SOURCE[0]}" "$dest"
fi

echo "trainer: installing sleap-nn for CPU into $dest with $python"
rm -rf "$dest"
"$python" -m venv "$dest"
"$dest/bin/python" -m pip install --quiet --disable-pip-version-check uv==0.13.9

# torch's wheel on the index is the CUDA build: leave its libraries out, they are stubbed below.
printf "%s ; sys_platform == 'never'\n" \
    cuda-toolkit cuda-bindings nvidia-cudnn-cu13 nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvshmem-cu13 \
    triton jupyter jupyterlab >"$dest/leave-out.txt"
"$dest/bin/uv" pip install --quiet --python "$dest/bin/python" --override "$dest/leave-out.txt" \
    sleap-nn==0.3.5 torch==2.15.0
# These three are small and really loaded; their versions belong to torch 2.15.0.
"$dest/bin/uv" pip install --quiet --python "$dest/bin/python" --no-deps \
    nvidia-cuda-runtime==13.2.86 nvidia-cufile==1.17.1.22 nvidia-cuda-cupti==13.2.86
site=$("$dest/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
"$dest/bin/python" "$here/stub_cuda.py" "$site"

"$dest/bin/python" -c 'import torch; assert not torch.cuda.is_available()'
"$dest/bin/sleap-nn" --version
printf '%s\n' "$recipe" >"$marker"
echo "trainer: installed $dest/bin/sleap-nn"
