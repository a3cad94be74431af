import Base
import Messages

/// What a job does, in pieces that are short enough for a person who wants it to stop.
///
/// One runner calls it, one call at a time. What a piece tells is on the disk before the next piece
/// begins: so whatever a checkpoint holds was told before it was written.
protocol JobWork: AnyObject {
    /// The next piece of the checks that come before the device works.
    func validate() async throws -> WorkTurn
    /// The next piece of the work itself.
    func advance() async throws -> WorkTurn
    /// Writes all that is needed to go on from here, and tells of it.
    func save() async throws -> [JobEvent.Body]
    /// What the job leaves once its last piece is done.
    func result() async throws -> WorkResult
}

/// What one piece of work came to.
struct WorkTurn: Sendable {
    var events: [JobEvent.Body] = []
    /// How far the job is; nil if the piece changed nothing about that.
    var progress: JobProgress?
    /// Whether there is nothing more to do in this phase.
    var isLast = false
}

/// What a job leaves.
struct WorkResult: Sendable {
    var artifacts: [ArtifactSummary] = []
    var outputModel = ""
    var lineage: Lineage?
    var peakDeviceBytes: UInt64 = 0
    var evaluations: [StoredEvaluation] = []
}

/// An evaluation and the rows it rests on.
struct StoredEvaluation: Sendable {
    var evaluation: Evaluation
    var predictions: [Prediction]
    var isBaseline: Bool
}

/// What a work is made from.
struct JobOrder: Sendable {
    let id: Int64
    let name: JobName
    let spec: JobSpec
    /// Where the job may write; there already.
    let folder: String
    /// Whether the job ran before.
    let hasBegun: Bool
    let control: JobControl
}

/// Makes works, and checks beforehand what can be known of them.
protocol WorkShop: Sendable {
    /// The devices that jobs can name, best first.
    var devices: [String] { get }
    /// The job with all defaults filled in; throws if it cannot work.
    func checked(_ spec: JobSpec) async throws -> CheckedJob
    /// The work of a job; it takes up what the job has left in its folder.
    func work(for order: JobOrder) async throws -> any JobWork
}

/// A job that can be queued.
struct CheckedJob: Sendable {
    var spec: JobSpec
    var estimate: JobEstimate?
    var lineage: Lineage?
    /// What is unusual about it.
    var notes: [Problem] = []
}

/// Tells a piece of work that waits for something that nobody wants it to wait any longer.
final class JobControl: Sendable {
    private struct State: Sendable {
        var wish: JobLife.Wish?
        var listener: (@Sendable (JobLife.Wish) -> Void)?
    }

    private let state = Lock(State())

    /// Thrown by a piece that stops waiting; what it has done so far stays.
    struct Interrupted: Error {}

    /// What a person wants; nil while the job may go on.
    var wanted: JobLife.Wish? { state.with { $0.wish } }

    func want(_ new: JobLife.Wish) {
        let listener = state.with { state in
            state.wish = new
            return state.listener
        }
        listener?(new)
    }

    /// Calls `listener` with what somebody wants, at once if that is known.
    func onWant(_ listener: @escaping @Sendable (JobLife.Wish) -> Void) {
        let wish = state.with { state in
            state.listener = listener
            return state.wish
        }
        if let wish { listener(wish) }
    }

    func check() throws(Interrupted) { if wanted != nil { throw Interrupted() } }

    /// Waits, but not once somebody wants the job to stop.
    func sleep(seconds: Double) async throws(Interrupted) {
        let end = MonotonicTime.now().advanced(bySeconds: seconds)
        while true {
            try check()
            let left = end.seconds(since: .now())
            guard left > 0 else { return }
            try? await Task.sleep(for: .seconds(min(left, 0.05)))
        }
    }
}
