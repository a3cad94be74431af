import Base
import Foundation
import Messages

@testable import TrainerService

/// Lets pieces of work happen when a test wants them to.
final class Gate: Sendable {
    private struct State: Sendable {
        var permits = 0
        var isOpen: Bool
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Lock<State>

    init(isOpen: Bool) { state = Lock(State(isOpen: isOpen)) }

    /// Waits for a permit and takes it.
    func pass() async {
        await withCheckedContinuation { continuation in
            let goes = state.with { state in
                if state.isOpen { return true }
                if state.permits > 0 {
                    state.permits -= 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if goes { continuation.resume() }
        }
    }

    /// Allows so many more pieces.
    func allow(_ count: Int) {
        for _ in 0..<count {
            let next = state.with { state -> CheckedContinuation<Void, Never>? in
                guard !state.waiting.isEmpty else {
                    state.permits += 1
                    return nil
                }
                return state.waiting.removeFirst()
            }
            next?.resume()
        }
    }

    /// Allows all pieces from now on.
    func open() {
        let waiting = state.with { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}

/// Makes works of a few microseconds: `epochs` of the spec are its steps.
struct FakeShop: WorkShop {
    /// What goes wrong with a job, by its model.
    enum Fault: String {
        case invalid = "models/invalid"
        case broken = "models/broken"
        case diskFull = "models/disk-full"
    }

    var devices = ["cpu", "gpu:0"]
    var gate = Gate(isOpen: true)
    /// Steps between checkpoints.
    var checkpointInterval = 5

    func checked(_ spec: JobSpec) async throws -> CheckedJob {
        var spec = spec
        if spec.device.isEmpty { spec.device = "cpu" }
        guard devices.contains(spec.device) else {
            throw TrainerError.deviceAbsent(seen: spec.device, known: devices)
        }
        return CheckedJob(spec: spec)
    }

    func work(for order: JobOrder) async throws -> any JobWork {
        FakeWork(order, gate: gate, interval: checkpointInterval)
    }
}

/// Counts steps, and keeps the count in a file at each checkpoint.
final class FakeWork: JobWork {
    private let order: JobOrder
    private let gate: Gate
    private let interval: Int
    private let steps: Int
    private let fault: FakeShop.Fault?
    private var done: Int
    private var checkpointed: Int
    private var file: String { "\(order.folder)/count" }

    init(_ order: JobOrder, gate: Gate, interval: Int) {
        (self.order, self.gate, self.interval) = (order, gate, interval)
        guard case .train(let spec)? = order.spec.work else {
            preconditionFailure("FakeWork: \(order.spec.workName)")
        }
        steps = Int(spec.epochs)
        fault = FakeShop.Fault(rawValue: spec.model)
        let stored = try? String(contentsOfFile: "\(order.folder)/count", encoding: .utf8)
        done = stored.flatMap { Int($0) } ?? 0
        checkpointed = done
    }

    func validate() async throws -> WorkTurn {
        if fault == .invalid {
            throw TrainerError.lossMask(row: "datasets/d/examples/r", trained: 0, tokens: 9)
        }
        return WorkTurn(isLast: true)
    }

    func advance() async throws -> WorkTurn {
        // As in training, a checkpoint is a piece of its own, after the steps in it were told.
        if done - checkpointed >= interval { return WorkTurn(events: try save()) }
        await gate.pass()
        if fault == .broken, done == 3 {
            throw TrainerError.rowUnusable(row: "datasets/d/examples/r3", why: "no JPEG")
        }
        if fault == .diskFull, done == 3, !order.hasBegun {
            throw TrainerTestError.full
        }
        done += 1
        var step = StepMeasures()
        step.step = UInt64(done)
        step.loss = Self.loss(done)
        var progress = JobProgress()
        (progress.phase, progress.step) = ("training", UInt64(done))
        return WorkTurn(events: [.step(step)], progress: progress, isLast: done == steps)
    }

    func save() throws -> [JobEvent.Body] {
        try "\(done)".write(toFile: file, atomically: true, encoding: .utf8)
        checkpointed = done
        var checkpoint = Checkpoint()
        checkpoint.name = "\(order.name)/checkpoints/\(done)"
        checkpoint.step = UInt64(done)
        return [.checkpoint(checkpoint)]
    }

    func result() -> WorkResult {
        var result = WorkResult()
        result.artifacts = [.with { $0.name = "\(order.name)/artifacts/adapter" }]
        return result
    }

    /// Any numbers that differ from step to step.
    static func loss(_ step: Int) -> Double { 1 / Double(step) }
}

/// A disk without room, as the store says it.
enum TrainerTestError: Failure {
    case full

    var kind: FailureKind { .exhausted }
    var reason: String { "DISK_FULL" }
    var message: String { "no space is left on the disk" }
}
