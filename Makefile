# `make demo` shows what the project does; `make test` proves it. Both set everything up first.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
BUNDLE_4BIT := assets/vggt-nano-8da4w
BUNDLE_FP32 := build/vggt-nano-fp32

# What a bare Debian or Ubuntu lacks: Open3D and OpenCV, Qt, a software Vulkan driver, a font.
SYSTEM_PACKAGES := libgl1 libegl1 libx11-6 libudev1 libusb-1.0-0 libidn2-0 libgomp1 \
	libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 \
	libxcb-shape0 libxcb-xinerama0 libdbus-1-3 libfontconfig1 libvulkan1 mesa-vulkan-drivers fonts-dejavu-core

.PHONY: demo test lint window system bundles

demo: $(VENV)/.ready $(BUNDLE_FP32)/manifest.json
	$(RUN) -m app reconstruct assets/demo/clip.mp4 --bundle $(BUNDLE_4BIT) --out out/demo --overwrite
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

# Remakes what assets/ holds of the exporter's output, after new weights.
bundles: $(VENV)/.ready
	$(RUN) -m mobile_export export assets/vggt-nano --precision 8da4w --out $(BUNDLE_4BIT) --overwrite

$(BUNDLE_FP32)/manifest.json: assets/vggt-nano/model.safetensors | $(VENV)/.ready
	$(RUN) -m mobile_export export assets/vggt-nano --precision fp32 --out $(BUNDLE_FP32) --overwrite

$(VENV)/.ready: pyproject.toml | system
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "error: Python 3.11 or newer is needed; name one with make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet -e '.[dev]'
	touch $@

system:
	@command -v dpkg-query >/dev/null || { echo "not Debian or Ubuntu: system libraries are left to you"; exit 0; }; \
	missing=$$(for p in $(SYSTEM_PACKAGES); do \
		dpkg-query -W -f='$${db:Status-Abbrev}' $$p 2>/dev/null | grep -q '^ii' || printf '%s ' $$p; done); \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -yq --no-install-recommends $$missing; \
	elif sudo -n true 2>/dev/null; then sudo apt-get update -q && sudo apt-get install -yq --no-install-recommends $$missing; \
	else echo "error: system libraries are missing; run: sudo apt-get install $$missing"; exit 2; fi
