import Foundation
import Images
import Testing

@testable import Training

/// The log of a run that is killed and goes on, for `make test-peers`, where TensorBoard and
/// transformers read it: written only if FOVEA_PEER_LOG names a folder.
@Suite(.enabled(if: PeerLog.folder != nil))
struct PeerLogTests {
    @Test func aLogIsWritten() throws {
        let folder = try #require(PeerLog.folder)
        var tiny = ResumeTests.tiny()
        tiny.recipe.checkpointIntervalSteps = 2
        tiny.store = CheckpointStore(folder)
        var killed = try tiny.start()
        while killed.state.step < 5 { _ = try killed.advance() }
        try log(killed.history[...], in: folder, at: 1000, from: 0)
        var run = try tiny.start(from: "last")
        let first = run.history.count
        let step = run.state.step + 1
        _ = try run.finish()
        let log = try log(run.history[first...], in: folder, at: 2000, from: step)
        let picture = RGBImage(width: 5, height: 3, filledWith: 200)
        try log.write(picture, tag: "failures/row-1", step: 6, at: 2001)
        try log.synchronise()
    }

    @discardableResult
    private func log(
        _ entries: ArraySlice<LogEntry>, in folder: String, at seconds: Double, from step: Int
    ) throws -> EventLog {
        let log = try EventLog(in: folder, at: seconds, from: step)
        for entry in entries { try log.write(entry, at: seconds + Double(entry.step) / 100) }
        return log
    }
}

/// Where the log goes.
private enum PeerLog {
    static let folder = ProcessInfo.processInfo.environment["FOVEA_PEER_LOG"]
}
