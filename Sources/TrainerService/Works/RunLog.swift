import Base
import Foundation
import Messages
import Training

/// What a run leaves for the tools that people already use: event files of TensorBoard, and
/// `trainer_state.json`. Training does not stop where it cannot be written.
final class RunLog {
    private let folder: String
    private var events: EventLog?

    /// - Parameters:
    ///   - step: steps that the run has done; what an interrupted run logged beyond them is not
    ///     shown any more
    ///   - onFailure: called with what is wrong
    init(_ folder: String, after step: Int, onFailure: (Problem) -> Void) {
        self.folder = folder
        let files = FileManager.default
        if step == 0 { try? files.removeItem(atPath: folder) }
        do {
            try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
            events = try EventLog(
                in: folder, at: Self.seconds, from: step == 0 ? 0 : step + 1)
        } catch {
            onFailure(Problem(error))
        }
    }

    private static var seconds: Double { Double(WallClock.nanoseconds()) / 1e9 }

    /// Writes the newest line of a run's history.
    ///
    /// - Returns: what is wrong, the first time that it fails
    func write(_ entry: LogEntry?) -> Problem? {
        guard let events, let entry else { return nil }
        do throws(EventLogError) { try events.write(entry, at: Self.seconds) } catch {
            self.events = nil
            return Problem(error)
        }
        return nil
    }

    /// The files, with the state at the end of the run.
    func finished(_ state: TrainerState) throws -> ArtifactFiles {
        try events?.synchronise()
        events = nil
        try Data(Array(state.json())).write(
            to: URL(filePath: "\(folder)/trainer_state.json"), options: .atomic)
        return try ArtifactFiles(folder: folder, kind: .log)
    }
}
