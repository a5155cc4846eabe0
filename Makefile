# `make demo` shows what the project does; `make test` proves it. Both set everything up first.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
BUNDLE_4BIT := assets/vggt-nano-8da4w
BUNDLE_FP32 := build/vggt-nano-fp32

# What a bare Debian or Ubuntu lacks, as library:package. Open3D; Qt; a software Vulkan driver; Qt on
# X11 and Wayland. Libraries are looked for, because packages have other names on some releases.
SYSTEM_LIBRARIES := libX11.so.6:libx11-6 libudev.so.1:libudev1 libusb-1.0.so.0:libusb-1.0-0 \
	libidn2.so.0:libidn2-0 libGL.so.1:libgl1 libEGL.so.1:libegl1 libxkbcommon.so.0:libxkbcommon0 \
	libfontconfig.so.1:libfontconfig1 libglib-2.0.so.0:libglib2.0-0 libdbus-1.so.3:libdbus-1-3 \
	libvulkan_lvp.so:mesa-vulkan-drivers libxkbcommon-x11.so.0:libxkbcommon-x11-0 \
	libxcb-cursor.so.0:libxcb-cursor0 libxcb-icccm.so.4:libxcb-icccm4 \
	libxcb-keysyms.so.1:libxcb-keysyms1 libxcb-shape.so.0:libxcb-shape0 \
	libwayland-cursor.so.0:libwayland-cursor0

.PHONY: demo test lint window package system bundles

demo: $(VENV)/.ready $(BUNDLE_FP32)/manifest.json
	$(RUN) -m app reconstruct assets/demo/clip.mp4 --bundle $(BUNDLE_4BIT) --out out/demo
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then $(RUN) -m app; \
	else echo "no display: the window is not opened (make window opens it)"; fi

test: $(VENV)/.ready
	$(RUN) -m pytest

lint: $(VENV)/.ready
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

window: $(VENV)/.ready $(BUNDLE_FP32)/manifest.json
	$(RUN) -m app

# The app in one folder, dist/pocket-vggt, for machines without Python. It is frozen from a fresh
# environment: what the developer has besides would come along.
package: $(BUNDLE_FP32)/manifest.json
	$(PYTHON) -m venv --clear build/package/venv
	build/package/venv/bin/python -m pip install --quiet '.[package]'
	build/package/venv/bin/pyinstaller --noconfirm --log-level WARN --distpath dist \
		--workpath build/package app/packaging/pocket-vggt.spec
	du -sh dist/pocket-vggt

# Remakes what assets/ holds of the exporter's output, after new weights: 15 minutes. Sums depend on
# the number of threads: with one the same bytes come out again.
bundles: export OMP_NUM_THREADS := 1
bundles: $(VENV)/.ready
	$(RUN) -m fgq render --out build/calibration --scenes 64 --seed 20000000
	$(RUN) -m fgq fisher assets/vggt-nano --data build/calibration --out build/fisher --keep-activations
	$(RUN) -m fgq calibrate assets/vggt-nano --data build/calibration --fisher build/fisher --out build/vggt-nano-4bit
	$(RUN) -m mobile_export export build/vggt-nano-4bit --precision 8da4w --name vggt-nano --license "as the project" --accuracy assets/vggt-nano/accuracy.json --out $(BUNDLE_4BIT)

$(BUNDLE_FP32)/manifest.json: assets/vggt-nano/model.safetensors | $(VENV)/.ready
	$(RUN) -m mobile_export export assets/vggt-nano --precision fp32 --views 4 --name vggt-nano --license "as the project" --accuracy assets/vggt-nano/accuracy.json --out $(BUNDLE_FP32)

$(VENV)/.ready: pyproject.toml | system
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "error: Python 3.11 or newer is needed; name one with make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet -e '.[dev]'
	touch $@

system:
	@command -v apt-get >/dev/null || { echo "not Debian or Ubuntu: system libraries are left to you"; exit 0; }; \
	known=$$(PATH=$$PATH:/sbin:/usr/sbin ldconfig -p); \
	missing=$$(for pair in $(SYSTEM_LIBRARIES); do \
		case "$$known" in *"$${pair%%:*} "*) ;; *) printf '%s ' "$${pair##*:}";; esac; done); \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ]; then sudo=; elif sudo -n true 2>/dev/null; then sudo=sudo; \
	else echo "error: system libraries are missing; run: sudo apt-get install $$missing"; exit 2; fi; \
	$$sudo apt-get update -q && $$sudo apt-get install -yq --no-install-recommends $$missing
