import SwiftUI

/// The one screen: camera, depth, points, buttons and how long everything took.
struct ContentView: View {
    @ObservedObject var session: Session
    @State private var camera: CameraFrames?

    var body: some View {
        VStack(alignment: .leading, spacing: 8) {
            HStack(spacing: 8) {
                VStack(spacing: 8) {
                    if let camera {
                        CameraPreview(camera: camera)
                    } else {
                        Color.black
                    }
                    if let depth = session.depth {
                        Image(decorative: depth, scale: 1).resizable().scaledToFit()
                    } else {
                        Color.black
                    }
                }
                .frame(maxWidth: 260)
                CloudView(cloud: session.cloud)
            }
            Text(session.status).lineLimit(1)
            Text(session.timing?.description ?? "").lineLimit(1)
            controls
        }
        .font(.footnote)
        .padding(8)
        .onAppear(perform: start)
    }

    private var controls: some View {
        HStack(spacing: 16) {
            Button("Add view") { session.addView() }
            Toggle("Automatic", isOn: $session.automatic).fixedSize()
            Picker("Views", selection: $session.views) {
                ForEach(session.viewCounts, id: \.self) { Text("\($0) views").tag($0) }
            }
            Button("Reset") { session.reset() }
            // Shown only if the project was written with a second bundle.
            if let (main, other) = session.precisions {
                Toggle("\(other) instead of \(main)", isOn: $session.useOther).fixedSize()
            }
        }
        .buttonStyle(.bordered)
    }

    private func start() {
        UIApplication.shared.isIdleTimerDisabled = true
        guard camera == nil, session.isUsable else { return }
        CameraFrames.open(for: session) { result in
            switch result {
            case .success(let opened): camera = opened
            case .failure(let fault): session.say(fault)
            }
        }
    }
}
