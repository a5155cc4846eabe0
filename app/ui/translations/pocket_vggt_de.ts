<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
<context>
    <name></name>
    <message>
        <source>Camera settings</source>
        <translation>Kameraeinstellungen</translation>
    </message>
    <message>
        <source>as the camera has it</source>
        <translation>wie die Kamera es vorgibt</translation>
    </message>
    <message>
        <source>{rate} frames a second</source>
        <translation>{rate} Bilder je Sekunde</translation>
    </message>
    <message>
        <source>A camera that cannot do this gives what comes closest. Used from the next start.</source>
        <translation>Eine Kamera, die das nicht kann, liefert das Nächstliegende. Gilt ab dem nächsten Start.</translation>
    </message>
    <message>
        <source>Resolution</source>
        <translation>Auflösung</translation>
    </message>
    <message>
        <source>Rate</source>
        <translation>Bildrate</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Use</source>
        <translation>Übernehmen</translation>
    </message>
    <message>
        <source>Demo clip</source>
        <translation>Beispielvideo</translation>
    </message>
    <message>
        <source>Camera {index}</source>
        <translation>Kamera {index}</translation>
    </message>
    <message>
        <source>4 bit</source>
        <translation>4 Bit</translation>
    </message>
    <message>
        <source>full precision</source>
        <translation>volle Genauigkeit</translation>
    </message>
    <message>
        <source>Choose…</source>
        <translation>Auswählen …</translation>
    </message>
    <message>
        <source>Open video…</source>
        <translation>Video öffnen …</translation>
    </message>
    <message>
        <source>Open folder of images…</source>
        <translation>Bilderordner öffnen …</translation>
    </message>
    <message>
        <source>Where the images come from</source>
        <translation>Woher die Bilder kommen</translation>
    </message>
    <message>
        <source>Videos</source>
        <translation>Videos</translation>
    </message>
    <message>
        <source>All files</source>
        <translation>Alle Dateien</translation>
    </message>
    <message>
        <source>Open video</source>
        <translation>Video öffnen</translation>
    </message>
    <message>
        <source>Open folder of images</source>
        <translation>Bilderordner öffnen</translation>
    </message>
    <message>
        <source>Open bundle…</source>
        <translation>Modell öffnen …</translation>
    </message>
    <message>
        <source>The network that reconstructs, in 4 bit or in full precision</source>
        <translation>Das Netz, das rekonstruiert, mit 4 Bit oder in voller Genauigkeit</translation>
    </message>
    <message>
        <source>Model bundles</source>
        <translation>Modelle</translation>
    </message>
    <message>
        <source>Open bundle</source>
        <translation>Modell öffnen</translation>
    </message>
    <message>
        <source>Source</source>
        <translation>Quelle</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modell</translation>
    </message>
    <message>
        <source>Keyframes that the network sees at once: more hold together better, and cost more</source>
        <translation>Schlüsselbilder, die das Netz zugleich sieht: mehr halten besser zusammen und kosten mehr</translation>
    </message>
    <message>
        <source>Views at a time</source>
        <translation>Ansichten zugleich</translation>
    </message>
    <message>
        <source>Compare with</source>
        <translation>Vergleich mit</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>Fortsetzen</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>Pause</translation>
    </message>
    <message>
        <source>End now</source>
        <translation>Sofort beenden</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>Stopp</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
    <message>
        <source>Close this (Esc)</source>
        <translation>Dies schließen (Esc)</translation>
    </message>
    <message>
        <source>Keyboard shortcuts</source>
        <translation>Tastenkürzel</translation>
    </message>
    <message>
        <source>not installed</source>
        <translation>nicht installiert</translation>
    </message>
    <message>
        <source>Version</source>
        <translation>Version</translation>
    </message>
    <message>
        <source>Purpose</source>
        <translation>Zweck</translation>
    </message>
    <message>
        <source>Cameras, depth and a point cloud from a video, live and offline</source>
        <translation>Kameras, Tiefe und eine Punktwolke aus einem Video, live und ohne Netzzugang</translation>
    </message>
    <message>
        <source>Privacy</source>
        <translation>Datenschutz</translation>
    </message>
    <message>
        <source>Nothing leaves this machine: the program opens no connection</source>
        <translation>Nichts verlässt dieses Gerät: Das Programm öffnet keine Verbindung</translation>
    </message>
    <message>
        <source>Built on</source>
        <translation>Beruht auf</translation>
    </message>
    <message>
        <source>About Pocket VGGT</source>
        <translation>Über Pocket VGGT</translation>
    </message>
    <message>
        <source>Drop one video, folder or model at a time, or several images.</source>
        <translation>Bitte jeweils nur ein Video, einen Ordner oder ein Modell ablegen oder mehrere Bilder.</translation>
    </message>
    <message>
        <source>This cannot be opened: drop a file or a folder.</source>
        <translation>Das lässt sich nicht öffnen: eine Datei oder einen Ordner ablegen.</translation>
    </message>
    <message>
        <source>{name} is empty: drop a folder of images.</source>
        <translation>{name} ist leer: einen Ordner mit Bildern ablegen.</translation>
    </message>
    <message>
        <source>{name} is neither a video, an image, a folder nor a model (zip).</source>
        <translation>{name} ist weder Video noch Bild, Ordner oder Modell (zip).</translation>
    </message>
    <message>
        <source>{count} images of {folder}</source>
        <translation>{count} Bilder aus {folder}</translation>
    </message>
    <message>
        <source>The export was cancelled; nothing was written.</source>
        <translation>Der Export wurde abgebrochen; nichts wurde geschrieben.</translation>
    </message>
    <message>
        <source>The report was cancelled; nothing was written.</source>
        <translation>Der Bericht wurde abgebrochen; nichts wurde geschrieben.</translation>
    </message>
    <message>
        <source>{path} could not be written: {reason}. Choose another place.</source>
        <translation>{path} konnte nicht geschrieben werden: {reason}. Einen anderen Ort wählen.</translation>
    </message>
    <message>
        <source>{path} could not be written: {reason}</source>
        <translation>{path} konnte nicht geschrieben werden: {reason}</translation>
    </message>
    <message>
        <source>Points, PLY</source>
        <translation>Punkte, PLY</translation>
    </message>
    <message>
        <source>Points and cameras, GLB</source>
        <translation>Punkte und Kameras, GLB</translation>
    </message>
    <message>
        <source>Surface, PLY</source>
        <translation>Oberfläche, PLY</translation>
    </message>
    <message>
        <source>Surface, GLB</source>
        <translation>Oberfläche, GLB</translation>
    </message>
    <message>
        <source>COLMAP, binary</source>
        <translation>COLMAP, binär</translation>
    </message>
    <message>
        <source>COLMAP, text</source>
        <translation>COLMAP, Text</translation>
    </message>
    <message>
        <source>Trajectory, TUM</source>
        <translation>Weg der Kamera, TUM</translation>
    </message>
    <message>
        <source>Arrays, npz</source>
        <translation>Felder, npz</translation>
    </message>
    <message>
        <source>a folder *</source>
        <translation>ein Ordner *</translation>
    </message>
    <message>
        <source>Export</source>
        <translation>Exportieren</translation>
    </message>
    <message>
        <source>The language changes at the next start.</source>
        <translation>Die Sprache wechselt beim nächsten Start.</translation>
    </message>
    <message>
        <source>No model yet</source>
        <translation>Noch kein Modell</translation>
    </message>
    <message>
        <source>Run “make demo” once in the project&apos;s folder: it prepares the models that come with it. Or open a bundle that you have, or drop it here.</source>
        <translation>Im Ordner des Projekts einmal „make demo“ ausführen: Das bereitet die mitgelieferten Modelle vor. Oder ein vorhandenes Modell öffnen oder hier ablegen.</translation>
    </message>
    <message>
        <source>By its manifest.json or zip</source>
        <translation>Über seine manifest.json oder zip-Datei</translation>
    </message>
    <message>
        <source>Choose a video file</source>
        <translation>Eine Videodatei auswählen</translation>
    </message>
    <message>
        <source>Open or drop a video or a folder of images that show one place from many sides.</source>
        <translation>Ein Video oder einen Ordner mit Bildern öffnen oder ablegen, die einen Ort von vielen Seiten zeigen.</translation>
    </message>
    <message>
        <source>Nothing captured yet</source>
        <translation>Noch nichts aufgenommen</translation>
    </message>
    <message>
        <source>Start with “{name}” and watch it become points in space. Or open or drop a video or a folder of images that show one place from several sides.</source>
        <translation>Mit „{name}“ beginnen und zusehen, wie daraus Punkte im Raum werden. Oder ein Video oder einen Ordner mit Bildern öffnen oder ablegen, die einen Ort von mehreren Seiten zeigen.</translation>
    </message>
    <message>
        <source>Start: {name}</source>
        <translation>Start: {name}</translation>
    </message>
    <message>
        <source>Run this source</source>
        <translation>Diese Quelle verarbeiten</translation>
    </message>
    <message>
        <source>The first points appear with {views} keyframes. Move around the scene slowly, and sideways rather than turning on the spot.</source>
        <translation>Die ersten Punkte erscheinen mit {views} Schlüsselbildern. Langsam um die Szene herumgehen, eher seitwärts als sich auf der Stelle drehen.</translation>
    </message>
    <message>
        <source>Looking for keyframes</source>
        <translation>Suche nach Schlüsselbildern</translation>
    </message>
    <message>
        <source>{views} views at a time need about {memory}, and {available} are free. The system may become slow or end the run.</source>
        <translation>{views} Ansichten zugleich brauchen etwa {memory}, frei sind {available}. Das System kann langsam werden oder den Lauf beenden.</translation>
    </message>
    <message>
        <source>Run all the same</source>
        <translation>Trotzdem starten</translation>
    </message>
    <message>
        <source>Try it; nothing but the run is at risk</source>
        <translation>Versuchen; gefährdet ist nur dieser Lauf</translation>
    </message>
    <message>
        <source>Run with {views} views</source>
        <translation>Mit {views} Ansichten starten</translation>
    </message>
    <message>
        <source>The most that fit</source>
        <translation>So viele, wie hineinpassen</translation>
    </message>
    <message>
        <source>Choose a smaller model</source>
        <translation>Ein kleineres Modell auswählen</translation>
    </message>
    <message>
        <source>This will not fit into memory</source>
        <translation>Das passt nicht in den Speicher</translation>
    </message>
    <message>
        <source>Choose another source.</source>
        <translation>Eine andere Quelle wählen.</translation>
    </message>
    <message>
        <source>Choose another model.</source>
        <translation>Ein anderes Modell wählen.</translation>
    </message>
    <message>
        <source>Press Start to run it again; if that does not help, choose another model.</source>
        <translation>Mit Start noch einmal versuchen; hilft das nicht, ein anderes Modell wählen.</translation>
    </message>
    <message>
        <source>rotation {value}°</source>
        <translation>Drehung {value}°</translation>
    </message>
    <message>
        <source>path {value} %</source>
        <translation>Weg {value} %</translation>
    </message>
    <message>
        <source>depth {value} %</source>
        <translation>Tiefe {value} %</translation>
    </message>
    <message>
        <source>Off the truth by: {errors}</source>
        <translation>Abweichung von der Wahrheit: {errors}</translation>
    </message>
    <message>
        <source>These models have no number of views in common: choose another one.</source>
        <translation>Diese Modelle haben keine Zahl von Ansichten gemeinsam: ein anderes wählen.</translation>
    </message>
    <message>
        <source>This model has no program for two or more views: choose another one.</source>
        <translation>Dieses Modell hat kein Programm für zwei oder mehr Ansichten: ein anderes wählen.</translation>
    </message>
    <message>
        <source>Both need {forecast}; {available} are free</source>
        <translation>Beide brauchen {forecast}; {available} sind frei</translation>
    </message>
    <message>
        <source>Needs {forecast}; {available} are free</source>
        <translation>Braucht {forecast}; {available} sind frei</translation>
    </message>
    <message>
        <source>&amp;File</source>
        <translation>&amp;Datei</translation>
    </message>
    <message>
        <source>Choose a folder whose images show one place</source>
        <translation>Einen Ordner auswählen, dessen Bilder einen Ort zeigen</translation>
    </message>
    <message>
        <source>Open session…</source>
        <translation>Aufzeichnung öffnen …</translation>
    </message>
    <message>
        <source>Look through a recording, and reconstruct it again</source>
        <translation>Eine Aufzeichnung ansehen und noch einmal rekonstruieren</translation>
    </message>
    <message>
        <source>Choose a model by its manifest.json or zip</source>
        <translation>Ein Modell über seine manifest.json oder zip-Datei auswählen</translation>
    </message>
    <message>
        <source>Export…</source>
        <translation>Exportieren …</translation>
    </message>
    <message>
        <source>Write what is shown: points, a surface, COLMAP …</source>
        <translation>Schreiben, was zu sehen ist: Punkte, eine Fläche, COLMAP …</translation>
    </message>
    <message>
        <source>Quit</source>
        <translation>Beenden</translation>
    </message>
    <message>
        <source>Close the window</source>
        <translation>Das Fenster schließen</translation>
    </message>
    <message>
        <source>&amp;Capture</source>
        <translation>&amp;Aufnahme</translation>
    </message>
    <message>
        <source>Start</source>
        <translation>Start</translation>
    </message>
    <message>
        <source>Capture and reconstruct; the scene is cleared first</source>
        <translation>Aufnehmen und rekonstruieren; die Szene wird vorher geleert</translation>
    </message>
    <message>
        <source>Hold the source, then go on</source>
        <translation>Die Quelle anhalten und später fortfahren</translation>
    </message>
    <message>
        <source>End the source and finish what was captured</source>
        <translation>Die Quelle beenden und das Aufgenommene fertigstellen</translation>
    </message>
    <message>
        <source>Refinement report…</source>
        <translation>Bericht zum Verfeinern …</translation>
    </message>
    <message>
        <source>Write what was refined and why not, as a page</source>
        <translation>Schreibt, was verfeinert wurde und was warum nicht, als Seite</translation>
    </message>
    <message>
        <source>Refine while capturing</source>
        <translation>Beim Aufnehmen verfeinern</translation>
    </message>
    <message>
        <source>Make the newest cameras exact beside the run, from the next start on</source>
        <translation>Die neuesten Kameras neben dem Lauf genau machen, ab dem nächsten Start</translation>
    </message>
    <message>
        <source>Record</source>
        <translation>Aufzeichnen</translation>
    </message>
    <message>
        <source>Keep what is captured as a session, from the next start on</source>
        <translation>Das Aufgenommene ab dem nächsten Start als Aufzeichnung behalten</translation>
    </message>
    <message>
        <source>Camera settings…</source>
        <translation>Kameraeinstellungen …</translation>
    </message>
    <message>
        <source>Resolution and rate to ask the camera for</source>
        <translation>Auflösung und Bildrate, um die die Kamera gebeten wird</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>&amp;Ansicht</translation>
    </message>
    <message>
        <source>Compare two models</source>
        <translation>Zwei Modelle vergleichen</translation>
    </message>
    <message>
        <source>Run a second model on the same frames and see both</source>
        <translation>Ein zweites Modell auf denselben Bildern rechnen lassen und beide sehen</translation>
    </message>
    <message>
        <source>Comparison</source>
        <translation>Vergleich</translation>
    </message>
    <message>
        <source>Both views next to each other</source>
        <translation>Beide Ansichten nebeneinander</translation>
    </message>
    <message>
        <source>Orbit</source>
        <translation>Umkreisen</translation>
    </message>
    <message>
        <source>Drag to turn about the scene, which stays upright</source>
        <translation>Ziehen, um die Szene zu umkreisen; sie bleibt aufrecht</translation>
    </message>
    <message>
        <source>Trackball</source>
        <translation>Trackball</translation>
    </message>
    <message>
        <source>Drag to turn the scene over any way</source>
        <translation>Ziehen, um die Szene beliebig zu drehen</translation>
    </message>
    <message>
        <source>Fly</source>
        <translation>Fliegen</translation>
    </message>
    <message>
        <source>W A S D to move, drag to look around, wheel for speed</source>
        <translation>W A S D zum Bewegen, ziehen zum Umsehen, Rad für das Tempo</translation>
    </message>
    <message>
        <source>Follow</source>
        <translation>Folgen</translation>
    </message>
    <message>
        <source>Keep looking along with the newest keyframe</source>
        <translation>Immer aus dem neuesten Schlüsselbild blicken</translation>
    </message>
    <message>
        <source>Show the cameras and their path</source>
        <translation>Die Kameras und ihren Weg zeigen</translation>
    </message>
    <message>
        <source>Click two points for their distance</source>
        <translation>Zwei Punkte für ihren Abstand anklicken</translation>
    </message>
    <message>
        <source>Box</source>
        <translation>Quader</translation>
    </message>
    <message>
        <source>Switch keyframes on and off in a list</source>
        <translation>Schlüsselbilder in einer Liste ein- und ausschalten</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>Zurücknehmen</translation>
    </message>
    <message>
        <source>Take back the newest keyframe</source>
        <translation>Das neueste Schlüsselbild zurücknehmen</translation>
    </message>
    <message>
        <source>Redo</source>
        <translation>Wiederholen</translation>
    </message>
    <message>
        <source>Bring back the keyframe that was taken back</source>
        <translation>Das zurückgenommene Schlüsselbild wieder einsetzen</translation>
    </message>
    <message>
        <source>Hides the points that are least certain</source>
        <translation>Blendet die unsichersten Punkte aus</translation>
    </message>
    <message>
        <source>Report…</source>
        <translation>Bericht …</translation>
    </message>
    <message>
        <source>Write this comparison as a page with pictures, and its figures</source>
        <translation>Diesen Vergleich als Seite mit Bildern und Zahlen schreiben</translation>
    </message>
    <message>
        <source>{model} ended early: {reason}. What it had reconstructed stays.</source>
        <translation>{model} endete vorzeitig: {reason}. Was es rekonstruiert hat, bleibt.</translation>
    </message>
    <message>
        <source>Report: name of a new folder</source>
        <translation>Bericht: Name eines neuen Ordners</translation>
    </message>
    <message>
        <source>Report: step {done} of {total}</source>
        <translation>Bericht: Schritt {done} von {total}</translation>
    </message>
    <message>
        <source>Report written: {page}</source>
        <translation>Bericht geschrieben: {page}</translation>
    </message>
    <message>
        <source>Look at the whole scene again</source>
        <translation>Wieder die ganze Szene ansehen</translation>
    </message>
    <message>
        <source>Reset view</source>
        <translation>Ansicht zurücksetzen</translation>
    </message>
    <message>
        <source>Difference</source>
        <translation>Unterschied</translation>
    </message>
    <message>
        <source>Difference by confidence</source>
        <translation>Unterschied nach Sicherheit</translation>
    </message>
    <message>
        <source>Cost</source>
        <translation>Aufwand</translation>
    </message>
    <message>
        <source>Cameras and depth as the network has them</source>
        <translation>Kameras und Tiefe, wie das Netz sie liefert</translation>
    </message>
    <message>
        <source>Refined</source>
        <translation>Verfeinert</translation>
    </message>
    <message>
        <source>Cameras and depth that were made exact</source>
        <translation>Kameras und Tiefe, die genau gemacht wurden</translation>
    </message>
    <message>
        <source>Both</source>
        <translation>Beides</translation>
    </message>
    <message>
        <source>The refined scene, with the network&apos;s cameras beside</source>
        <translation>Die verfeinerte Szene, daneben die Kameras des Netzes</translation>
    </message>
    <message>
        <source>Reset</source>
        <translation>Überblick</translation>
    </message>
    <message>
        <source>How the mouse moves</source>
        <translation>Wie die Maus bewegt</translation>
    </message>
    <message>
        <source>Which cameras and depth are shown</source>
        <translation>Welche Kameras und welche Tiefe gezeigt werden</translation>
    </message>
    <message>
        <source>Hide points by what they look like</source>
        <translation>Punkte nach ihrem Aussehen ausblenden</translation>
    </message>
    <message>
        <source>More tools</source>
        <translation>Weitere Werkzeuge</translation>
    </message>
    <message>
        <source>Hide ({count})</source>
        <translation>Ausblenden ({count})</translation>
    </message>
    <message>
        <source>Hide</source>
        <translation>Ausblenden</translation>
    </message>
    <message>
        <source>Sky</source>
        <translation>Himmel</translation>
    </message>
    <message>
        <source>Hide what looks like sky: bright, smooth, far and at the upper edge</source>
        <translation>Ausblenden, was wie Himmel aussieht: hell, glatt, fern und am oberen Rand</translation>
    </message>
    <message>
        <source>Black background</source>
        <translation>Schwarzer Hintergrund</translation>
    </message>
    <message>
        <source>Hide points that are all but black</source>
        <translation>Fast schwarze Punkte ausblenden</translation>
    </message>
    <message>
        <source>White background</source>
        <translation>Weißer Hintergrund</translation>
    </message>
    <message>
        <source>Hide points that are all but white</source>
        <translation>Fast weiße Punkte ausblenden</translation>
    </message>
    <message>
        <source>Smaller points</source>
        <translation>Kleinere Punkte</translation>
    </message>
    <message>
        <source>Draw points smaller</source>
        <translation>Punkte kleiner zeichnen</translation>
    </message>
    <message>
        <source>Larger points</source>
        <translation>Größere Punkte</translation>
    </message>
    <message>
        <source>Draw points larger</source>
        <translation>Punkte größer zeichnen</translation>
    </message>
    <message>
        <source>Cameras</source>
        <translation>Kameras</translation>
    </message>
    <message>
        <source>Video and depth</source>
        <translation>Video und Tiefe</translation>
    </message>
    <message>
        <source>Show the images beside the 3D view</source>
        <translation>Die Bilder neben der 3D-Ansicht zeigen</translation>
    </message>
    <message>
        <source>Theme</source>
        <translation>Farben</translation>
    </message>
    <message>
        <source>As the system</source>
        <translation>Wie das System</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>Dunkel</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>Hell</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>Sprache</translation>
    </message>
    <message>
        <source>Language of the window</source>
        <translation>Sprache des Fensters</translation>
    </message>
    <message>
        <source>Full screen</source>
        <translation>Vollbild</translation>
    </message>
    <message>
        <source>Use the whole screen</source>
        <translation>Den ganzen Bildschirm nutzen</translation>
    </message>
    <message>
        <source>&amp;Tools</source>
        <translation>&amp;Werkzeuge</translation>
    </message>
    <message>
        <source>Measure</source>
        <translation>Messen</translation>
    </message>
    <message>
        <source>Show and export only what lies in a box</source>
        <translation>Nur zeigen und exportieren, was in einem Quader liegt</translation>
    </message>
    <message>
        <source>Model details…</source>
        <translation>Modelldetails …</translation>
    </message>
    <message>
        <source>What the model&apos;s manifest says, and what a run takes here</source>
        <translation>Was das Manifest des Modells sagt und was ein Lauf hier braucht</translation>
    </message>
    <message>
        <source>&amp;Help</source>
        <translation>&amp;Hilfe</translation>
    </message>
    <message>
        <source>Run the demo clip</source>
        <translation>Beispielvideo abspielen</translation>
    </message>
    <message>
        <source>See a scene grow from a short video</source>
        <translation>Aus einem kurzen Video eine Szene wachsen sehen</translation>
    </message>
    <message>
        <source>All shortcuts on one sheet</source>
        <translation>Alle Tastenkürzel auf einem Blatt</translation>
    </message>
    <message>
        <source>Version, and what it is built on</source>
        <translation>Version, und worauf es beruht</translation>
    </message>
    <message>
        <source>Make cameras and depth exact by features of the whole frames; paused or at the end</source>
        <translation>Kameras und Tiefe anhand der Merkmale der ganzen Bilder genau machen; in der Pause oder am Ende</translation>
    </message>
    <message>
        <source>Colours of the window</source>
        <translation>Farben des Fensters</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>Name</translation>
    </message>
    <message>
        <source>Precision</source>
        <translation>Genauigkeit</translation>
    </message>
    <message>
        <source>Size</source>
        <translation>Größe</translation>
    </message>
    <message>
        <source>Image</source>
        <translation>Bild</translation>
    </message>
    <message>
        <source>{width} × {height} pixels</source>
        <translation>{width} × {height} Pixel</translation>
    </message>
    <message>
        <source>Recipe</source>
        <translation>Verfahren</translation>
    </message>
    <message>
        <source>Runtime</source>
        <translation>Laufzeit</translation>
    </message>
    <message>
        <source>Licence of the weights</source>
        <translation>Lizenz der Gewichte</translation>
    </message>
    <message>
        <source>not stated</source>
        <translation>nicht angegeben</translation>
    </message>
    <message>
        <source>Folder</source>
        <translation>Ordner</translation>
    </message>
    <message>
        <source>Check</source>
        <translation>Prüfung</translation>
    </message>
    <message>
        <source>{views} views</source>
        <translation>{views} Ansichten</translation>
    </message>
    <message>
        <source>On this machine ({memory} free)</source>
        <translation>Auf diesem Gerät ({memory} frei)</translation>
    </message>
    <message>
        <source>Accuracy measured at export</source>
        <translation>Beim Export gemessene Genauigkeit</translation>
    </message>
    <message>
        <source>measured here</source>
        <translation>hier gemessen</translation>
    </message>
    <message>
        <source>estimate</source>
        <translation>Schätzung</translation>
    </message>
    <message>
        <source>{memory}, {seconds} s a view ({source})</source>
        <translation>{memory}, {seconds} s je Ansicht ({source})</translation>
    </message>
    <message>
        <source>{forecast}: does not fit</source>
        <translation>{forecast}: passt nicht</translation>
    </message>
    <message>
        <source>{size}, {count} million parameters</source>
        <translation>{size}, {count} Millionen Parameter</translation>
    </message>
    <message>
        <source>none: weights as they were trained</source>
        <translation>keines: Gewichte, wie sie trainiert wurden</translation>
    </message>
    <message>
        <source>weights in {weights} bit in groups of {group}, activations in {activations} bit</source>
        <translation>Gewichte mit {weights} Bit in Gruppen zu {group}, Aktivierungen mit {activations} Bit</translation>
    </message>
    <message>
        <source>{method}, calibrated on {count} clips: {grid}</source>
        <translation>{method}, kalibriert an {count} Clips: {grid}</translation>
    </message>
    <message>
        <source>rotation {value}° off</source>
        <translation>Drehung {value}° daneben</translation>
    </message>
    <message>
        <source>depth {value} % off</source>
        <translation>Tiefe {value} % daneben</translation>
    </message>
    <message>
        <source>{value} % of depths within a quarter</source>
        <translation>{value} % der Tiefen auf ein Viertel genau</translation>
    </message>
    <message>
        <source>{set}, {views} views</source>
        <translation>{set}, {views} Ansichten</translation>
    </message>
    <message>
        <source>Dismiss</source>
        <translation>Ausblenden</translation>
    </message>
    <message>
        <source>Hide this message</source>
        <translation>Diese Meldung ausblenden</translation>
    </message>
    <message>
        <source>Ready</source>
        <translation>Bereit</translation>
    </message>
    <message>
        <source>End this work</source>
        <translation>Diese Arbeit beenden</translation>
    </message>
    <message>
        <source>Reading the model…</source>
        <translation>Modell wird gelesen …</translation>
    </message>
    <message>
        <source>{plan}; checking its files: {percent} %</source>
        <translation>{plan}; Dateien werden geprüft: {percent} %</translation>
    </message>
    <message>
        <source>{percent} % of the files are read</source>
        <translation>{percent} % der Dateien sind gelesen</translation>
    </message>
    <message>
        <source>all files match their SHA-256</source>
        <translation>alle Dateien stimmen mit ihrer SHA-256 überein</translation>
    </message>
    <message>
        <source>No images yet</source>
        <translation>Noch keine Bilder</translation>
    </message>
    <message>
        <source>Video</source>
        <translation>Video</translation>
    </message>
    <message>
        <source>Depth appears with the first keyframes</source>
        <translation>Die Tiefe erscheint mit den ersten Schlüsselbildern</translation>
    </message>
    <message>
        <source>Keyframe</source>
        <translation>Schlüsselbild</translation>
    </message>
    <message>
        <source>Which keyframe is compared; at the end, always the newest</source>
        <translation>Welches Schlüsselbild verglichen wird; am Ende stets das neueste</translation>
    </message>
    <message>
        <source>No image yet</source>
        <translation>Noch kein Bild</translation>
    </message>
    <message>
        <source>The difference appears with the first keyframes</source>
        <translation>Der Unterschied erscheint mit den ersten Schlüsselbildern</translation>
    </message>
    <message>
        <source>Previous keyframe</source>
        <translation>Voriges Schlüsselbild</translation>
    </message>
    <message>
        <source>Next keyframe</source>
        <translation>Nächstes Schlüsselbild</translation>
    </message>
    <message>
        <source>{limit} % of the depth and above</source>
        <translation>{limit} % der Tiefe und mehr</translation>
    </message>
    <message>
        <source>Keyframe {number}, frame {frame}: depth differs by {depth}, rotation by {rotation}°, position by {place} of the path</source>
        <translation>Schlüsselbild {number}, Bild {frame}: Unterschied der Tiefe {depth}, der Drehung {rotation}°, des Ortes {place} des Weges</translation>
    </message>
    <message>
        <source>Depth</source>
        <translation>Tiefe</translation>
    </message>
    <message>
        <source>What the picture shows of a keyframe</source>
        <translation>Was das Bild von einem Schlüsselbild zeigt</translation>
    </message>
    <message>
        <source>Turbo</source>
        <translation>Turbo</translation>
    </message>
    <message>
        <source>Viridis</source>
        <translation>Viridis</translation>
    </message>
    <message>
        <source>Grey</source>
        <translation>Grau</translation>
    </message>
    <message>
        <source>Colours of the picture</source>
        <translation>Farben des Bildes</translation>
    </message>
    <message>
        <source>Lock</source>
        <translation>Festhalten</translation>
    </message>
    <message>
        <source>Keep this range of depth for all keyframes</source>
        <translation>Diesen Tiefenbereich für alle Schlüsselbilder behalten</translation>
    </message>
    <message>
        <source>Nearest depth</source>
        <translation>Nächste Tiefe</translation>
    </message>
    <message>
        <source>Farthest depth</source>
        <translation>Fernste Tiefe</translation>
    </message>
    <message>
        <source>unsure</source>
        <translation>unsicher</translation>
    </message>
    <message>
        <source>sure</source>
        <translation>sicher</translation>
    </message>
    <message>
        <source>near {depth}</source>
        <translation>nah {depth}</translation>
    </message>
    <message>
        <source>far {depth}</source>
        <translation>fern {depth}</translation>
    </message>
    <message>
        <source>depth {depth}</source>
        <translation>Tiefe {depth}</translation>
    </message>
    <message>
        <source>no depth</source>
        <translation>keine Tiefe</translation>
    </message>
    <message>
        <source>, surer than {share} %</source>
        <translation>, sicherer als {share} %</translation>
    </message>
    <message>
        <source>Depth in the network&apos;s own scale, without a unit</source>
        <translation>Tiefe im Maßstab des Netzes, ohne Einheit</translation>
    </message>
    <message>
        <source>Frame {number} keyframe: {reason}</source>
        <translation>Bild {number} Schlüsselbild: {reason}</translation>
    </message>
    <message>
        <source>Frame {number} skipped: {reason}</source>
        <translation>Bild {number} übergangen: {reason}</translation>
    </message>
    <message>
        <source>Keyframe {keyframe}, frame {frame}</source>
        <translation>Schlüsselbild {keyframe}, Bild {frame}</translation>
    </message>
    <message>
        <source>{value} views/s</source>
        <translation>{value} Ansichten/s</translation>
    </message>
    <message>
        <source>{shown} of {all}</source>
        <translation>{shown} von {all}</translation>
    </message>
    <message>
        <source>Keyframes</source>
        <translation>Schlüsselbilder</translation>
    </message>
    <message>
        <source>Frames that are part of the reconstruction</source>
        <translation>Bilder, die zur Rekonstruktion gehören</translation>
    </message>
    <message>
        <source>Points</source>
        <translation>Punkte</translation>
    </message>
    <message>
        <source>Points that are shown, of all that there are</source>
        <translation>Punkte, die zu sehen sind, von allen, die es gibt</translation>
    </message>
    <message>
        <source>Speed</source>
        <translation>Tempo</translation>
    </message>
    <message>
        <source>Views that the network took in a second of its time</source>
        <translation>Ansichten, die das Netz in einer Sekunde seiner Zeit verarbeitet hat</translation>
    </message>
    <message>
        <source>Latency</source>
        <translation>Verzögerung</translation>
    </message>
    <message>
        <source>From the choice of a keyframe to its points in the view</source>
        <translation>Von der Wahl eines Schlüsselbilds bis zu seinen Punkten in der Ansicht</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>Speicher</translation>
    </message>
    <message>
        <source>Largest memory of the engine&apos;s process so far</source>
        <translation>Bisher größter Speicher des Rechenprozesses</translation>
    </message>
    <message>
        <source>Size of the model&apos;s program</source>
        <translation>Größe des Modellprogramms</translation>
    </message>
    <message>
        <source>Frame of the recording</source>
        <translation>Bild der Aufzeichnung</translation>
    </message>
    <message>
        <source>The keyframe before</source>
        <translation>Voriges Schlüsselbild</translation>
    </message>
    <message>
        <source>The next keyframe</source>
        <translation>Nächstes Schlüsselbild</translation>
    </message>
    <message>
        <source>Frame {frame} of {count}, {time}</source>
        <translation>Bild {frame} von {count}, {time}</translation>
    </message>
    <message>
        <source>{frame}, keyframe</source>
        <translation>{frame}, Schlüsselbild</translation>
    </message>
    <message>
        <source>Loading {model}…</source>
        <translation>{model} wird geladen …</translation>
    </message>
    <message>
        <source>Paused</source>
        <translation>Angehalten</translation>
    </message>
    <message>
        <source>Capturing</source>
        <translation>Aufnahme läuft</translation>
    </message>
    <message>
        <source>Finishing…</source>
        <translation>Wird fertiggestellt …</translation>
    </message>
    <message>
        <source>Exporting: keyframe {number} of {count}</source>
        <translation>Export: Schlüsselbild {number} von {count}</translation>
    </message>
    <message>
        <source>Not exported</source>
        <translation>Nicht exportiert</translation>
    </message>
    <message>
        <source>Exported: {path}</source>
        <translation>Exportiert: {path}</translation>
    </message>
    <message>
        <source>Plug the camera in again, then press Resume.</source>
        <translation>Die Kamera wieder anschließen, dann auf Fortsetzen drücken.</translation>
    </message>
    <message>
        <source>Interrupted</source>
        <translation>Unterbrochen</translation>
    </message>
    <message>
        <source>Done in {seconds} s, recorded in {folder}</source>
        <translation>Fertig in {seconds} s, aufgezeichnet in {folder}</translation>
    </message>
    <message>
        <source>Done in {seconds} s</source>
        <translation>Fertig in {seconds} s</translation>
    </message>
    <message>
        <source>Ended by an error</source>
        <translation>Durch einen Fehler beendet</translation>
    </message>
    <message>
        <source>Open session</source>
        <translation>Aufzeichnung öffnen</translation>
    </message>
    <message>
        <source>Session opened</source>
        <translation>Aufzeichnung geöffnet</translation>
    </message>
    <message>
        <source>Model details</source>
        <translation>Modell im Einzelnen</translation>
    </message>
    <message>
        <source>Confidence</source>
        <translation>Sicherheit</translation>
    </message>
    <message>
        <source>Hides the points that are least sure</source>
        <translation>Blendet die unsichersten Punkte aus</translation>
    </message>
    <message>
        <source>Point size</source>
        <translation>Punktgröße</translation>
    </message>
    <message>
        <source>{size} px</source>
        <translation>{size} px</translation>
    </message>
    <message>
        <source>Side of a point on the screen ([ and ])</source>
        <translation>Seitenlänge eines Punktes auf dem Bildschirm ([ und ])</translation>
    </message>
    <message>
        <source>Write what is shown: points, a surface, COLMAP … (Ctrl+E)</source>
        <translation>Schreiben, was zu sehen ist: Punkte, eine Fläche, COLMAP … (Strg+E)</translation>
    </message>
    <message>
        <source>Refine</source>
        <translation>Verfeinern</translation>
    </message>
    <message>
        <source>3D view</source>
        <translation>3D-Ansicht</translation>
    </message>
    <message>
        <source>Drag to turn, right drag to pan, wheel to zoom</source>
        <translation>Ziehen zum Drehen, rechts ziehen zum Verschieben, Rad zum Zoomen</translation>
    </message>
    <message>
        <source>Drag to orbit, right drag to pan, wheel to zoom</source>
        <translation>Ziehen zum Umkreisen, rechts ziehen zum Verschieben, Rad zum Zoomen</translation>
    </message>
    <message>
        <source>recorded</source>
        <translation>aufgezeichnet</translation>
    </message>
    <message>
        <source>best {share} %</source>
        <translation>beste {share} %</translation>
    </message>
    <message>
        <source>all points</source>
        <translation>alle Punkte</translation>
    </message>
    <message>
        <source>Mean difference {mean} %.</source>
        <translation>Mittlerer Unterschied {mean} %.</translation>
    </message>
    <message>
        <source>No cut of the confidence halves it.</source>
        <translation>Keine Schwelle der Sicherheit halbiert ihn.</translation>
    </message>
    <message>
        <source>Hiding {share} % of the pixels halves it.</source>
        <translation>{share} % der Pixel auszublenden halbiert ihn.</translation>
    </message>
    <message>
        <source>The 3D view is off: no graphics adapter was found.
Video, depth and export work without it. To see the cloud here, install a graphics driver; on Debian and Ubuntu: sudo apt install mesa-vulkan-drivers</source>
        <translation>Die 3D-Ansicht ist aus: Es wurde kein Grafikadapter gefunden.
Video, Tiefe und Export gehen auch ohne. Um die Punktwolke hier zu sehen, einen Grafiktreiber installieren; unter Debian und Ubuntu: sudo apt install mesa-vulkan-drivers</translation>
    </message>
    <message>
        <source>No picture</source>
        <translation>Kein Bild</translation>
    </message>
    <message>
        <source>No depth</source>
        <translation>Keine Tiefe</translation>
    </message>
    <message>
        <source>Close (Esc)</source>
        <translation>Schließen (Esc)</translation>
    </message>
    <message>
        <source>Go there</source>
        <translation>Dorthin</translation>
    </message>
    <message>
        <source>Look along with this keyframe</source>
        <translation>Aus diesem Schlüsselbild blicken</translation>
    </message>
    <message>
        <source>Switch off</source>
        <translation>Ausschalten</translation>
    </message>
    <message>
        <source>Hide this keyframe and its points</source>
        <translation>Dieses Schlüsselbild und seine Punkte ausblenden</translation>
    </message>
    <message>
        <source>Keyframe {number}</source>
        <translation>Schlüsselbild {number}</translation>
    </message>
    <message>
        <source>Frame {number}</source>
        <translation>Bild {number}</translation>
    </message>
    <message>
        <source>Point surer than {share} % of its picture</source>
        <translation>Punkt sicherer als {share} % seines Bildes</translation>
    </message>
    <message>
        <source>Only what is in the box</source>
        <translation>Nur was im Quader liegt</translation>
    </message>
    <message>
        <source>Hides all points outside, here and in exports</source>
        <translation>Blendet alle Punkte außerhalb aus, hier und in Exporten</translation>
    </message>
    <message>
        <source>Fit to scene</source>
        <translation>An Szene anpassen</translation>
    </message>
    <message>
        <source>Make the box as large as the scene is now</source>
        <translation>Den Quader so groß machen, wie die Szene jetzt ist</translation>
    </message>
    <message>
        <source>in the network&apos;s own units</source>
        <translation>in Einheiten des Netzes</translation>
    </message>
    <message>
        <source>in metres</source>
        <translation>in Metern</translation>
    </message>
    <message>
        <source>Left</source>
        <translation>Links</translation>
    </message>
    <message>
        <source>Right</source>
        <translation>Rechts</translation>
    </message>
    <message>
        <source>Top</source>
        <translation>Oben</translation>
    </message>
    <message>
        <source>Bottom</source>
        <translation>Unten</translation>
    </message>
    <message>
        <source>Near</source>
        <translation>Nah</translation>
    </message>
    <message>
        <source>Far</source>
        <translation>Fern</translation>
    </message>
    <message>
        <source>End of the box, as the first camera saw the scene</source>
        <translation>Ende des Quaders, wie die erste Kamera die Szene sah</translation>
    </message>
    <message>
        <source>Or drag the squares on its sides in the 3D view.</source>
        <translation>Oder in der 3D-Ansicht die Quadrate auf seinen Seiten ziehen.</translation>
    </message>
    <message>
        <source>Double click: look along with this keyframe</source>
        <translation>Doppelklick: aus diesem Schlüsselbild blicken</translation>
    </message>
    <message>
        <source>Only this</source>
        <translation>Nur dieses</translation>
    </message>
    <message>
        <source>Switch all others off</source>
        <translation>Alle anderen ausschalten</translation>
    </message>
    <message>
        <source>All</source>
        <translation>Alle</translation>
    </message>
    <message>
        <source>Switch all keyframes on</source>
        <translation>Alle Schlüsselbilder einschalten</translation>
    </message>
    <message>
        <source>{on} of {all} on</source>
        <translation>{on} von {all}</translation>
    </message>
    <message>
        <source>{all} keyframes</source>
        <translation>{all} Bilder</translation>
    </message>
    <message>
        <source>{length} units</source>
        <translation>{length} Einh.</translation>
    </message>
    <message>
        <source>known length</source>
        <translation>bekannte Länge</translation>
    </message>
    <message>
        <source>Unit of the known length, and of all lengths from then on</source>
        <translation>Einheit der bekannten Länge und aller Längen danach</translation>
    </message>
    <message>
        <source>Set scale</source>
        <translation>Maßstab setzen</translation>
    </message>
    <message>
        <source>The last distance is this long: show all lengths in this unit</source>
        <translation>Der letzte Abstand ist so lang: alle Längen in dieser Einheit zeigen</translation>
    </message>
    <message>
        <source>Clear</source>
        <translation>Löschen</translation>
    </message>
    <message>
        <source>Remove all measured lines</source>
        <translation>Alle gemessenen Strecken entfernen</translation>
    </message>
    <message>
        <source>Forget scale</source>
        <translation>Maßstab vergessen</translation>
    </message>
    <message>
        <source>Show lengths in the network&apos;s own units again</source>
        <translation>Längen wieder in den Einheiten des Netzes zeigen</translation>
    </message>
    <message>
        <source>No point there: click right on one</source>
        <translation>Dort ist kein Punkt: genau einen anklicken</translation>
    </message>
    <message>
        <source>Click the other end</source>
        <translation>Das andere Ende anklicken</translation>
    </message>
    <message>
        <source>Distance: {length}</source>
        <translation>Abstand: {length}</translation>
    </message>
    <message>
        <source>Click two points</source>
        <translation>Zwei Punkte anklicken</translation>
    </message>
    <message>
        <source>Run a second model on the same frames and see both (Ctrl+D)</source>
        <translation>Ein zweites Modell auf denselben Bildern rechnen lassen und beide sehen (Strg+D)</translation>
    </message>
    <message>
        <source>nothing</source>
        <translation>nichts</translation>
    </message>
    <message>
        <source>the recording</source>
        <translation>der Aufzeichnung</translation>
    </message>
    <message>
        <source>Median (line) and 90th percentile (dashed) of the difference by predicted confidence; bars: how many pixels have it. A model that knows where it is wrong has lines that fall to the right.</source>
        <translation>Median (Linie) und 90. Perzentil (gestrichelt) des Unterschieds nach vorhergesagter Sicherheit; Balken: wie viele Pixel sie haben. Bei einem Modell, das weiß, wo es irrt, fallen die Linien nach rechts.</translation>
    </message>
    <message>
        <source>predicted confidence</source>
        <translation>vorhergesagte Sicherheit</translation>
    </message>
    <message>
        <source>difference (%)</source>
        <translation>Unterschied (%)</translation>
    </message>
    <message>
        <source>ratio</source>
        <translation>Verhältnis</translation>
    </message>
    <message>
        <source>Medians over windows without the first one, which warms the model up. The models take turns. Energy is of the whole processor; n/a where the system does not tell.</source>
        <translation>Mediane über die Fenster ohne das erste, in dem das Modell anläuft. Die Modelle wechseln sich ab. Energie gilt für den ganzen Prozessor; n/a, wo das System sie nicht angibt.</translation>
    </message>
    <message>
        <source>shared</source>
        <translation>gemeinsam</translation>
    </message>
    <message>
        <source>Network</source>
        <translation>Netz</translation>
    </message>
    <message>
        <source>Windows</source>
        <translation>Fenster</translation>
    </message>
    <message>
        <source>Views a second</source>
        <translation>Ansichten je Sekunde</translation>
    </message>
    <message>
        <source>A window, median</source>
        <translation>Ein Fenster, Median</translation>
    </message>
    <message>
        <source>90th percentile</source>
        <translation>90. Perzentil</translation>
    </message>
    <message>
        <source>99th percentile</source>
        <translation>99. Perzentil</translation>
    </message>
    <message>
        <source>First window (warm-up)</source>
        <translation>Erstes Fenster (Anlauf)</translation>
    </message>
    <message>
        <source>Other stages of a window, median</source>
        <translation>Übrige Schritte eines Fensters, Median</translation>
    </message>
    <message>
        <source>Reading the frame</source>
        <translation>Bild lesen</translation>
    </message>
    <message>
        <source>Choosing it</source>
        <translation>Auswählen</translation>
    </message>
    <message>
        <source>Joining to what is there</source>
        <translation>An Vorhandenes anschließen</translation>
    </message>
    <message>
        <source>Making points</source>
        <translation>Punkte erzeugen</translation>
    </message>
    <message>
        <source>Memory and energy</source>
        <translation>Speicher und Energie</translation>
    </message>
    <message>
        <source>Peak memory of the runtime</source>
        <translation>Höchster Speicher der Laufzeit</translation>
    </message>
    <message>
        <source>of it before the model</source>
        <translation>davon vor dem Modell</translation>
    </message>
    <message>
        <source>Model file</source>
        <translation>Modelldatei</translation>
    </message>
    <message>
        <source>Energy a view</source>
        <translation>Energie je Ansicht</translation>
    </message>
    <message>
        <source>Side by side</source>
        <translation>Nebeneinander</translation>
    </message>
    <message>
        <source>Both views next to each other, with one camera</source>
        <translation>Beide Ansichten nebeneinander, mit einer Kamera</translation>
    </message>
    <message>
        <source>Wipe</source>
        <translation>Wischen</translation>
    </message>
    <message>
        <source>One view with a divider to drag</source>
        <translation>Eine Ansicht mit verschiebbarer Trennlinie</translation>
    </message>
    <message>
        <source>Blink</source>
        <translation>Blinken</translation>
    </message>
    <message>
        <source>One view in the same place as the other</source>
        <translation>Eine Ansicht an der Stelle der anderen</translation>
    </message>
    <message>
        <source>Drag to see more of one side (left and right keys)</source>
        <translation>Ziehen, um von einer Seite mehr zu sehen (Tasten links und rechts)</translation>
    </message>
    <message>
        <source>Divider between the two pictures</source>
        <translation>Trennlinie zwischen beiden Bildern</translation>
    </message>
    <message>
        <source>between the frames looked at</source>
        <translation>zwischen den betrachteten Bildern</translation>
    </message>
    <message>
        <source>every frame is taken</source>
        <translation>jedes Bild wird genommen</translation>
    </message>
    <message>
        <source>too dark</source>
        <translation>zu dunkel</translation>
    </message>
    <message>
        <source>too bright</source>
        <translation>zu hell</translation>
    </message>
    <message>
        <source>blurred</source>
        <translation>unscharf</translation>
    </message>
    <message>
        <source>first</source>
        <translation>das erste</translation>
    </message>
    <message>
        <source>image size changed</source>
        <translation>Bildgröße geändert</translation>
    </message>
    <message>
        <source>view changed</source>
        <translation>Ansicht geändert</translation>
    </message>
    <message>
        <source>the engine is busy</source>
        <translation>die Rechnung läuft noch</translation>
    </message>
    <message>
        <source>too similar ({pixels} px motion)</source>
        <translation>zu ähnlich ({pixels} px Bewegung)</translation>
    </message>
    <message>
        <source>turning only, or a flat view: move sideways too</source>
        <translation>nur gedreht oder flache Ansicht: auch seitwärts bewegen</translation>
    </message>
    <message>
        <source>turned {pixels} px: move sideways too</source>
        <translation>um {pixels} px gedreht: auch seitwärts bewegen</translation>
    </message>
    <message>
        <source>moved {pixels} px</source>
        <translation>um {pixels} px bewegt</translation>
    </message>
    <message>
        <source>{path} is not a video that can be read</source>
        <translation>{path} ist kein lesbares Video</translation>
    </message>
    <message>
        <source>{path} is empty</source>
        <translation>{path} ist leer</translation>
    </message>
    <message>
        <source>{path} holds no frame that can be decoded</source>
        <translation>{path} enthält kein Bild, das sich dekodieren lässt</translation>
    </message>
    <message>
        <source>{path}: {count} damaged frames were skipped</source>
        <translation>{path}: {count} beschädigte Bilder wurden übergangen</translation>
    </message>
    <message>
        <source>{path} ends after {index} of {count} frames: damaged?</source>
        <translation>{path} endet nach {index} von {count} Bildern: beschädigt?</translation>
    </message>
    <message>
        <source>{path} holds no images (jpg, png, webp, bmp or tif)</source>
        <translation>{path} enthält keine Bilder (jpg, png, webp, bmp oder tif)</translation>
    </message>
    <message>
        <source>{path} holds no readable image</source>
        <translation>{path} enthält kein lesbares Bild</translation>
    </message>
    <message>
        <source>{path} is not a readable image</source>
        <translation>{path} ist kein lesbares Bild</translation>
    </message>
    <message>
        <source>{path} is too large: make it smaller first</source>
        <translation>{path} ist zu groß: erst verkleinern</translation>
    </message>
    <message>
        <source>{path}: no such file, folder or camera</source>
        <translation>{path}: Datei, Ordner oder Kamera gibt es nicht</translation>
    </message>
    <message>
        <source>{path} cannot be read: {reason}</source>
        <translation>{path} lässt sich nicht lesen: {reason}</translation>
    </message>
    <message>
        <source>{fault}: skipped</source>
        <translation>{fault}: übergangen</translation>
    </message>
    <message>
        <source>no camera is called {name} (there: {there})</source>
        <translation>Keine Kamera heißt {name} (es gibt: {there})</translation>
    </message>
    <message>
        <source>{camera} cannot be opened: {reason}</source>
        <translation>{camera} lässt sich nicht öffnen: {reason}</translation>
    </message>
    <message>
        <source>none there</source>
        <translation>keine da</translation>
    </message>
    <message>
        <source>none</source>
        <translation>keine</translation>
    </message>
    <message>
        <source>in use by another program?</source>
        <translation>benutzt sie ein anderes Programm?</translation>
    </message>
    <message>
        <source>none there, in use, or not allowed in the system&apos;s settings</source>
        <translation>keine da, in Gebrauch oder in den Einstellungen des Systems nicht erlaubt</translation>
    </message>
    <message>
        <source>no permission for {node}: add yourself to its group</source>
        <translation>kein Zugriff auf {node}: dessen Gruppe beitreten</translation>
    </message>
    <message>
        <source>{camera} stopped delivering images: unplugged?</source>
        <translation>{camera} liefert keine Bilder mehr: abgezogen?</translation>
    </message>
    <message>
        <source>{camera} stalled: no image for {seconds} s</source>
        <translation>{camera} stockt: seit {seconds} s kein Bild</translation>
    </message>
    <message>
        <source>{camera} changed its size from {before} to {now}</source>
        <translation>{camera} hat die Größe von {before} auf {now} geändert</translation>
    </message>
    <message>
        <source>{camera} gives {got}, not {wanted}</source>
        <translation>{camera} liefert {got}, nicht {wanted}</translation>
    </message>
    <message>
        <source>no frame could be used</source>
        <translation>Kein Bild war zu gebrauchen</translation>
    </message>
    <message>
        <source>no frame could be used; the last one: {reason}</source>
        <translation>Kein Bild war zu gebrauchen; das letzte: {reason}</translation>
    </message>
    <message>
        <source>{path}: no such bundle</source>
        <translation>{path}: dieses Bundle gibt es nicht</translation>
    </message>
    <message>
        <source>{path} is not a bundle: neither a folder nor a zip file</source>
        <translation>{path} ist kein Bundle: weder Ordner noch ZIP-Datei</translation>
    </message>
    <message>
        <source>{path} is not a bundle: it has no manifest.json</source>
        <translation>{path} ist kein Bundle: manifest.json fehlt</translation>
    </message>
    <message>
        <source>{path} is not a bundle or is damaged: {reason}</source>
        <translation>{path} ist kein Bundle oder beschädigt: {reason}</translation>
    </message>
    <message>
        <source>{path} is not a bundle: its manifest is of another format</source>
        <translation>{path} ist kein Bundle: das Manifest hat ein anderes Format</translation>
    </message>
    <message>
        <source>{path} is damaged: it is not JSON</source>
        <translation>{path} ist beschädigt: es ist kein JSON</translation>
    </message>
    <message>
        <source>{path} has format version {version}; this app reads version {known}</source>
        <translation>{path} hat die Formatversion {version}; dieses Programm liest Version {known}</translation>
    </message>
    <message>
        <source>{path} lacks or garbles an entry: {reason}</source>
        <translation>In {path} fehlt ein Eintrag oder ist entstellt: {reason}</translation>
    </message>
    <message>
        <source>{path} has {size} bytes instead of {wanted}: truncated or changed</source>
        <translation>{path} hat {size} Bytes statt {wanted}: abgeschnitten oder verändert</translation>
    </message>
    <message>
        <source>{path} does not match its SHA-256: damaged or changed</source>
        <translation>{path} passt nicht zu seinem SHA-256: beschädigt oder verändert</translation>
    </message>
    <message>
        <source>{path} cannot be written: {reason}</source>
        <translation>{path} lässt sich nicht schreiben: {reason}</translation>
    </message>
    <message>
        <source>{path} cannot be unpacked: {reason}</source>
        <translation>{path} lässt sich nicht entpacken: {reason}</translation>
    </message>
    <message>
        <source>{path} is damaged</source>
        <translation>{path} ist beschädigt</translation>
    </message>
    <message>
        <source>the runtime ended unexpectedly ({how})</source>
        <translation>Die Laufzeit endete unerwartet ({how})</translation>
    </message>
    <message>
        <source>the runtime ended unexpectedly ({how}): {words}</source>
        <translation>Die Laufzeit endete unerwartet ({how}): {words}</translation>
    </message>
    <message>
        <source>signal {number}: killed, perhaps for want of memory</source>
        <translation>Signal {number}: beendet, vielleicht aus Mangel an Speicher</translation>
    </message>
    <message>
        <source>exit status {code}</source>
        <translation>Rückgabewert {code}</translation>
    </message>
    <message>
        <source>the runtime did not answer within {seconds} seconds</source>
        <translation>Die Laufzeit antwortete {seconds} Sekunden lang nicht</translation>
    </message>
    <message>
        <source>the runtime cannot be started: {reason}</source>
        <translation>Die Laufzeit lässt sich nicht starten: {reason}</translation>
    </message>
    <message>
        <source>the runtime failed: {reason}</source>
        <translation>Die Laufzeit ist gescheitert: {reason}</translation>
    </message>
    <message>
        <source>{model} returned values that are not finite</source>
        <translation>{model} lieferte Werte, die nicht endlich sind</translation>
    </message>
    <message>
        <source>{fault}; it is started again ({attempt} of {tries} tries)</source>
        <translation>{fault}; sie wird neu gestartet (Versuch {attempt} von {tries})</translation>
    </message>
    <message>
        <source>{model} takes {have} views at a time, not {views}</source>
        <translation>{model} nimmt {have} Ansichten auf einmal, nicht {views}</translation>
    </message>
    <message>
        <source>the recording stopped: {reason}</source>
        <translation>Die Aufnahme endete: {reason}</translation>
    </message>
    <message>
        <source>{path}: {reason}; what was recorded is kept, {remedy}</source>
        <translation>{path}: {reason}; was aufgenommen ist, bleibt; {remedy}</translation>
    </message>
    <message>
        <source>the disk is full</source>
        <translation>der Datenträger ist voll</translation>
    </message>
    <message>
        <source>free some space and resume it</source>
        <translation>Platz schaffen und sie fortsetzen</translation>
    </message>
    <message>
        <source>resume it when that is put right</source>
        <translation>sie fortsetzen, wenn das behoben ist</translation>
    </message>
    <message>
        <source>cannot record to {path}: {reason}</source>
        <translation>Aufnehmen in {path} ist nicht möglich: {reason}</translation>
    </message>
    <message>
        <source>{path} is not a session: it has no {log}</source>
        <translation>{path} ist keine Sitzung: {log} fehlt</translation>
    </message>
    <message>
        <source>{path} is being recorded by another program</source>
        <translation>{path} wird gerade von einem anderen Programm aufgenommen</translation>
    </message>
    <message>
        <source>{path} was recorded by a newer version of this program</source>
        <translation>{path} stammt von einer neueren Version dieses Programms</translation>
    </message>
    <message>
        <source>the recording was cut off: its last second may be missing</source>
        <translation>Die Aufnahme brach ab: die letzte Sekunde kann fehlen</translation>
    </message>
    <message>
        <source>images missing or damaged: {count} of {all}</source>
        <translation>Fehlende oder beschädigte Bilder: {count} von {all}</translation>
    </message>
    <message>
        <source>no point is left: lower the confidence quantile or widen the crop box</source>
        <translation>Kein Punkt bleibt übrig: weniger nach Sicherheit ausblenden oder den Quader vergrößern</translation>
    </message>
    <message>
        <source>no surface is left: lower the confidence quantile or widen the crop box</source>
        <translation>Keine Fläche bleibt übrig: weniger nach Sicherheit ausblenden oder den Quader vergrößern</translation>
    </message>
    <message>
        <source>{path} is a folder, and {format} is a file</source>
        <translation>{path} ist ein Ordner, {format} ist eine Datei</translation>
    </message>
    <message>
        <source>{path} holds other things than {kind}: choose another place</source>
        <translation>{path} enthält anderes als {kind}: einen anderen Ort wählen</translation>
    </message>
    <message>
        <source>an export</source>
        <translation>einen Export</translation>
    </message>
    <message>
        <source>a comparison</source>
        <translation>einen Vergleich</translation>
    </message>
    <message>
        <source>{path} exists and is not a folder</source>
        <translation>{path} gibt es schon und ist kein Ordner</translation>
    </message>
    <message>
        <source>the two reconstructions have no frame in common: nothing to compare</source>
        <translation>Die beiden Rekonstruktionen haben kein Bild gemeinsam: nichts zu vergleichen</translation>
    </message>
    <message>
        <source>{changed} of {count} frames changed</source>
        <translation>{changed} von {count} Bildern geändert</translation>
    </message>
    <message>
        <source>{fault}: the network&apos;s result is kept</source>
        <translation>{fault}: das Ergebnis des Netzes bleibt</translation>
    </message>
    <message>
        <source>the network&apos;s result is kept</source>
        <translation>das Ergebnis des Netzes bleibt</translation>
    </message>
    <message>
        <source>cancelled</source>
        <translation>abgebrochen</translation>
    </message>
    <message>
        <source>refinement cannot be started: {reason}</source>
        <translation>das Verfeinern lässt sich nicht starten: {reason}</translation>
    </message>
    <message>
        <source>refinement ended unexpectedly ({how})</source>
        <translation>das Verfeinern endete unerwartet ({how})</translation>
    </message>
    <message>
        <source>refinement ended unexpectedly ({how}): {words}</source>
        <translation>das Verfeinern endete unerwartet ({how}): {words}</translation>
    </message>
    <message>
        <source>refinement failed: {reason}</source>
        <translation>das Verfeinern ist gescheitert: {reason}</translation>
    </message>
    <message>
        <source>{fault}: the rest is not refined</source>
        <translation>{fault}: der Rest wird nicht verfeinert</translation>
    </message>
    <message>
        <source>{fault}: refined with the network&apos;s images</source>
        <translation>{fault}: mit den Bildern des Netzes verfeinert</translation>
    </message>
    <message>
        <source>{fault}: the rest is refined with the network&apos;s images</source>
        <translation>{fault}: der Rest wird mit den Bildern des Netzes verfeinert</translation>
    </message>
    <message>
        <source>no two frames have matches that one motion explains (at most {most} matches)</source>
        <translation>in keinen zwei Bildern gehören Punkte durch eine einzige Bewegung zusammen (höchstens {most} Paare)</translation>
    </message>
    <message>
        <source>too little parallax between the frames ({angle} degrees): only the camera turned</source>
        <translation>zu wenig Parallaxe zwischen den Bildern ({angle} Grad): die Kamera hat sich nur gedreht</translation>
    </message>
    <message>
        <source>the network&apos;s cameras explain {before} of {all} matches set apart, geometry&apos;s {after}</source>
        <translation>von {all} zurückgelegten Punktpaaren erklären die Kameras des Netzes {before}, die der Geometrie {after}</translation>
    </message>
    <message>
        <source>geometry explains no two frames better than the network</source>
        <translation>die Geometrie erklärt keine zwei Bilder besser als das Netz</translation>
    </message>
    <message>
        <source>No such file or directory</source>
        <translation>Datei oder Ordner nicht gefunden</translation>
    </message>
    <message>
        <source>Permission denied</source>
        <translation>keine Berechtigung</translation>
    </message>
    <message>
        <source>No space left on device</source>
        <translation>kein Platz mehr auf dem Datenträger</translation>
    </message>
    <message>
        <source>Drag to move this side of the box</source>
        <translation>Ziehen verschiebt diese Seite des Quaders</translation>
    </message>
    <message>
        <source>Refined cameras</source>
        <translation>Verfeinerte Kameras</translation>
    </message>
    <message>
        <source>The network&apos;s cameras</source>
        <translation>Kameras des Netzes</translation>
    </message>
    <message>
        <source>Refinement report</source>
        <translation>Bericht zum Verfeinern</translation>
    </message>
    <message>
        <source>Refining: {percent} %</source>
        <translation>Verfeinern: {percent} %</translation>
    </message>
    <message>
        <source>Not refined</source>
        <translation>Nicht verfeinert</translation>
    </message>
    <message>
        <source>Refined: {changed} of {count} cameras</source>
        <translation>Verfeinert: {changed} von {count} Kameras</translation>
    </message>
    <message>
        <source>, {before} → {after} px off</source>
        <translation>, Fehler {before} → {after} px</translation>
    </message>
</context>
</TS>
