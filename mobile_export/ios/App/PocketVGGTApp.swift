import SwiftUI

@main
struct PocketVGGTApp: App {
    @StateObject private var session = Session()

    var body: some Scene {
        WindowGroup {
            ContentView(session: session)
        }
    }
}
