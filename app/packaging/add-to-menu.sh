#!/bin/sh
# Puts Pocket VGGT into the menu of this user's desktop. Run it again after moving the folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
menu=${XDG_DATA_HOME:-$HOME/.local/share}/applications
mkdir -p "$menu"
cat > "$menu/pocket-vggt.desktop" <<END
[Desktop Entry]
Type=Application
Name=Pocket VGGT
Comment=Capture a scene and see it in 3D
Exec="$here/pocket-vggt"
Icon=$here/_internal/app/data/icons/pocket-vggt.svg
Categories=Graphics;3DGraphics;
StartupWMClass=pocket-vggt
END
echo "written: $menu/pocket-vggt.desktop"
