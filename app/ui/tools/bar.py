"""The bar over the 3D view: every command of it, with its key."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup, QIcon, QKeySequence
from PySide6.QtWidgets import QMenu, QSizePolicy, QToolBar, QToolButton, QWidget

from app.reconstruction.masks import MASKS
from app.ui.scene_view import SceneView
from app.ui.texts import tr


class ViewBar(QToolBar):
    """Buttons for the commands of a view. The commands are actions of the widget `owner`, so that
    their keys work in its whole window; a menu may offer them, too. What there is no room for is
    behind the » at the end.
    """

    def __init__(self, view: SceneView, owner: QWidget) -> None:
        super().__init__()
        self._view, self._owner = view, owner
        self._active = True
        self.modes = QActionGroup(self)
        for mode, key, text, tip in (
            ("orbit", "1", tr("Orbit"), tr("Drag to turn about the scene, which stays upright")),
            ("trackball", "2", tr("Trackball"), tr("Drag to turn the scene over any way")),
            ("fly", "3", tr("Fly"), tr("W A S D to move, drag to look around, wheel for speed")),
        ):
            action = self._switch(text, key, tip)
            action.setData(mode)
            self.modes.addAction(action)
        self.modes.actions()[0].setChecked(True)
        self.modes.triggered.connect(self._on_mode)
        self.versions = QActionGroup(self)
        for version, key, text, tip in (
            ("network", "7", tr("Network"), tr("Cameras and depth as the network has them")),
            ("refined", "8", tr("Refined"), tr("Cameras and depth that were made exact")),
            ("both", "9", tr("Both"), tr("The refined scene, with the network's cameras beside")),
        ):
            action = self._switch(text, key, tip)
            action.setData(version)
            self.versions.addAction(action)
        self._can_switch = False
        self.follow = self._switch(
            tr("Follow"), "F", tr("Keep looking along with the newest keyframe")
        )
        self.cameras = self._switch(tr("Cameras"), "C", tr("Show the cameras and their path"))
        self.cameras.setChecked(True)
        self.measure = self._switch(tr("Measure"), "M", tr("Click two points for their distance"))
        self.box = self._switch(tr("Box"), "B", tr("Show and export only what lies in a box"))
        self.keyframes = self._switch(
            tr("Keyframes"), "K", tr("Switch keyframes on and off in a list")
        )
        self.masks = [self._switch(text, "", tip) for text, tip in _mask_words()]
        self.undo = self._command(
            tr("Undo"), "Ctrl+Z", tr("Take back the newest keyframe"), view.undo
        )
        self.redo = self._command(
            tr("Redo"), "Ctrl+Shift+Z", tr("Bring back the keyframe that was taken back"), view.redo
        )
        # Words would take the room that the images need in a small window.
        self.undo.setIconText("↶")
        self.redo.setIconText("↷")
        self.reset = self._command(
            tr("Reset"), "R", tr("Look at the whole scene again"), view.reset_view
        )
        self._mode = self._menu(self.modes.actions(), tr("How the mouse moves"))
        self._version = self._menu(self.versions.actions(), tr("Which cameras and depth are shown"))
        self._hide = self._menu(self.masks, tr("Hide points by what they look like"))
        self._lay_out()
        self._connect()
        self._refresh()

    @property
    def actions_by_group(self) -> list[list[QAction]]:
        """All commands, for a menu or a sheet of keys."""
        return [
            self.modes.actions(),
            [self.follow, self.cameras, self.reset, *self.versions.actions()],
            [self.measure, self.box, self.keyframes, self._hide],
            [self.undo, self.redo],
        ]

    def set_active(self, active: bool) -> None:
        """Whether the view is there to be worked with; the reset is of use elsewhere, too."""
        self._active = active
        for group in self.actions_by_group:
            for action in group:
                if action is not self.reset:
                    action.setEnabled(active)
        self._refresh()

    def offer_versions(self, can_switch: bool, shown: str) -> None:
        """Let the user choose which cameras and depth are shown, or not; shown: which are."""
        self._can_switch = can_switch
        for action in self.versions.actions():
            action.setChecked(can_switch and action.data() == shown)
        self._refresh()

    def _lay_out(self) -> None:
        room = QWidget()
        room.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addActions([self._mode, self._version, self.follow, self.cameras])
        self.addSeparator()
        self.addActions([self._hide, self.box, self.keyframes, self.measure])
        self.addWidget(room)
        self.addActions([self.undo, self.redo, self.reset])
        for action in self.actions():
            button = self.widgetForAction(action)
            if isinstance(button, QToolButton):
                button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        for action in (self._mode, self._version, self._hide):
            button = self.widgetForAction(action)
            assert isinstance(button, QToolButton)
            button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        # Qt's own sign for more is dark in all themes.
        more = self.findChild(QToolButton, "qt_toolbar_ext_button")
        if isinstance(more, QToolButton):
            more.setIcon(QIcon())
            more.setText("»")
            more.setToolTip(tr("More tools"))

    def _connect(self) -> None:
        view = self._view
        self.follow.toggled.connect(view.set_follow)
        self.cameras.toggled.connect(view.set_cameras_shown)
        view.camera_taken.connect(lambda: self.follow.setChecked(False))
        view.keyframes_changed.connect(self._refresh)
        for action in self.masks:
            action.toggled.connect(self._on_masks)

    def _on_mode(self, action: QAction) -> None:
        self._view.set_mode(action.data())
        self._mode.setText(action.text())

    def _on_masks(self) -> None:
        chosen = [n for n, action in zip(MASKS, self.masks, strict=True) if action.isChecked()]
        self._view.set_masks(chosen)
        self._refresh()

    def _refresh(self) -> None:
        scene = self._view.scene
        self.undo.setEnabled(self._active and bool(scene.shown_positions))
        self.redo.setEnabled(self._active and bool(scene.removed))
        count = len(scene.masks)
        self._hide.setText(tr("Hide ({count})").format(count=count) if count else tr("Hide"))
        self._mode.setText(self.modes.checkedAction().text())
        self._version.setVisible(self._can_switch)
        for action in self.versions.actions():
            action.setEnabled(self._active and self._can_switch)
        if shown := self.versions.checkedAction():
            self._version.setText(shown.text())

    def _switch(self, text: str, key: str, tip: str) -> QAction:
        action = self._command(text, key, tip, None)
        action.setCheckable(True)
        return action

    def _command(self, text: str, key: str, tip: str, do: Callable[[], object] | None) -> QAction:
        action = QAction(text, self)
        action.setToolTip(f"{tip} ({key})" if key else tip)
        if key:
            action.setShortcut(QKeySequence(key))
        if do:
            action.triggered.connect(lambda: do())
        self._owner.addAction(action)
        return action

    def _menu(self, actions: list[QAction], tip: str) -> QAction:
        """An entry of the bar that opens a menu."""
        menu = QMenu(self, toolTipsVisible=True)
        menu.addActions(actions)
        menu.menuAction().setToolTip(tip)
        return menu.menuAction()


def _mask_words() -> list[tuple[str, str]]:
    """Of each of `MASKS`: its name and what it does."""
    return [
        (tr("Sky"), tr("Hide what looks like sky: bright, smooth, far and at the upper edge")),
        (tr("Black background"), tr("Hide points that are all but black")),
        (tr("White background"), tr("Hide points that are all but white")),
    ]
