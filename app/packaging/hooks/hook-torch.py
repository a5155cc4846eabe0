"""torch as the tensors of the runtime only: what its libraries need is found by linkage.

The hook that PyInstaller brings would add every module and file of torch.
"""

from pathlib import Path

from PyInstaller.utils.hooks import get_package_paths

_root = Path(get_package_paths("torch")[1])

# Both are opened by path at `import torch`.
binaries = [
    (str(found), f"torch/{found.parent.name}")
    for pattern in ("bin/torch_shm_manager", "lib/libtorch_global_deps.*")
    for found in _root.glob(pattern)
]
# What it decorates at import is compiled from source text.
module_collection_mode = {"torch": "pyz+py"}
# It looks for its libraries beside each other, not beside links to them.
bindepend_symlink_suppression = ["**/torch/lib/*.so*", "**/executorch/lib/*.so*"]
