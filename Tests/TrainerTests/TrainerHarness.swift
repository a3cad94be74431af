import Base
import Foundation
import Messages
import RPC

@testable import TrainerService

/// The service on a folder of its own, called in the same process.
final class TrainerHarness {
    let folder: String
    let jobs: Jobs
    let server: Server
    let client: Client

    convenience init(
        folder: String? = nil, shop: any WorkShop = FakeShop(), heartbeatSeconds: Double = 15
    ) throws {
        let folder = folder ?? Self.newFolder()
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        try self.init(
            store: try TrainerStore(folder: folder, heartbeatSeconds: heartbeatSeconds),
            shop: shop)
    }

    init(store: TrainerStore, shop: any WorkShop, _ registry: ModelRegistry? = nil) throws {
        folder = store.folder
        jobs = Jobs(store: store, shop: shop)
        server = Server(
            router: TrainerServer.router(jobs, registry, shop as? TrainerShop),
            encodeDetails: Self.encodeDetails)
        client = try server.connectInProcess()
        jobs.start()
    }

    static func encodeDetails(_ error: RPCError) -> Bytes? {
        StatusDetails.encode(
            code: Int32(error.code.rawValue), message: error.message, reason: error.reason,
            domain: "fovea", facts: error.facts, details: error.details)
    }

    static func newFolder() -> String {
        "/tmp/fovea-trainer-\(UUID().uuidString.prefix(8))"
    }

    func close() async {
        jobs.stop()
        await client.close()
        await server.drain(graceSeconds: 0)
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// A job of so many steps.
    static func request(
        _ id: String = "", steps: Int, _ change: (inout CreateJobRequest) -> Void = { _ in }
    ) -> CreateJobRequest {
        var request = CreateJobRequest()
        request.jobID = id
        request.spec = .with { spec in
            spec.work = .train(
                .with {
                    $0.epochs = Double(steps)
                    $0.model = "models/m"
                })
        }
        change(&request)
        return request
    }

    @discardableResult
    func create(
        _ id: String = "", steps: Int, _ change: (inout CreateJobRequest) -> Void = { _ in }
    ) async throws -> TrainingJob {
        try await client.call(Training.createJob, Self.request(id, steps: steps, change))
    }

    func job(_ id: String) async throws -> TrainingJob {
        try await client.call(Training.getJob, .with { $0.name = "jobs/\(id)" })
    }

    /// The events of a job to its end, or those that are there already.
    func events(
        _ id: String, _ change: (inout WatchJobRequest) -> Void = { _ in }
    ) async throws -> [JobEvent] {
        var request = WatchJobRequest()
        request.name = "jobs/\(id)"
        change(&request)
        var events: [JobEvent] = []
        for try await response in try await client.call(Training.watchJob, request) {
            if let event = response.event { events.append(event) }
        }
        return events
    }

    /// Watches a job until an event that `isEnough` accepts.
    @discardableResult
    func watch(
        _ id: String, until isEnough: (JobEvent) -> Bool
    ) async throws -> [JobEvent] {
        let stream = try await client.call(
            Training.watchJob, .with { $0.name = "jobs/\(id)" })
        var events: [JobEvent] = []
        while let response = try await stream.next() {
            guard let event = response.event else { continue }
            events.append(event)
            if isEnough(event) { break }
        }
        stream.cancel()
        return events
    }
}

extension JobEvent {
    var step: UInt64? {
        if case .step(let step)? = body { step.step } else { nil }
    }

    var newState: JobState? {
        if case .stateChange(let change)? = body { change.newState } else { nil }
    }
}

extension [JobEvent] {
    var states: [JobState] { compactMap(\.newState) }
    var steps: [UInt64] { compactMap(\.step) }
    var numbers: [UInt64] { map(\.eventNumber) }
}

/// The reason of the error that a call ends with; nil if it does not fail.
func reason(of call: () async throws -> Void) async -> String? {
    do {
        try await call()
        return nil
    } catch let error as RPCError {
        return error.encodedDetails.flatMap { try? StatusDetails.decode($0) }?.reason
            ?? error.reason
    } catch {
        return "\(error)"
    }
}
