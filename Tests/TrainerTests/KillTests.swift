import Base
import Foundation
import Glibc
import GoldenModels
import Messages
import RPC
import TestSupport
import Testing

@testable import TrainerService

/// The trainer as a process that is killed in the middle of a job, again and again.
struct KillTests {
    @Test func aJobKilledAtRandomPlacesLearnsTheSame() async throws {
        let rounds = RunSize.value("FOVEA_KILL_ROUNDS", standard: 20)
        let services = try KilledServices()
        defer { services.remove() }
        let dataset = try services.start("dataset", [])
        defer { KilledServices.kill(dataset) }
        let datasets = Client(.unix(path: services.socket("dataset")))
        try await services.ready(datasets, Datasets.listDatasets, ListDatasetsRequest())
        try await TinyDatasets.freeze("cells", rows: 20, shares: (2_000, 1_000), datasets)
        await datasets.close()
        let whole = try await services.uninterrupted()
        var random = SeededRandom(seed: 3)
        var kills = 0
        var events: [JobEvent] = []
        while events.states.last != .succeeded {
            let process = try services.start("trainer", ["--models", GoldenFamily.root])
            let client = Client(.unix(path: services.socket("trainer")))
            try await services.ready(client, Training.listModels, ListModelsRequest())
            if kills == 0 {
                _ = try await client.call(
                    Training.createJob, TinyTrainer.request("broken", KilledServices.long))
            }
            let isLast = kills >= rounds
            let steps = isLast ? Int.max : Int.random(in: 0...6, using: &random)
            let pause = Int.random(in: 0...40, using: &random)
            events = try await Self.watch(client, after: events, newSteps: steps)
            if !isLast { try await Task.sleep(for: .milliseconds(pause)) }
            KilledServices.kill(process)
            await client.close()
            kills += 1
        }
        #expect(events.numbers == Array(1...UInt64(events.count)), "an event was lost")
        #expect(events.steps == whole.events.steps)
        #expect(events.losses == whole.events.losses, "the curve is another")
        #expect(kills > rounds / 2, "the job ended after \(kills) kills")
        let process = try services.start("trainer", ["--models", GoldenFamily.root])
        defer { KilledServices.kill(process) }
        let client = Client(.unix(path: services.socket("trainer")))
        try await services.ready(client, Training.listModels, ListModelsRequest())
        #expect(try await KilledServices.weights("broken", client) == whole.weights)
        let job = try await client.call(Training.getJob, .with { $0.name = "jobs/broken" })
        #expect(Int(job.usage?.restartCount ?? 0) <= kills)
        await client.close()
    }

    /// Watches on from the events that are known, until so many steps more or the end.
    private static func watch(
        _ client: Client, after known: [JobEvent], newSteps: Int
    ) async throws -> [JobEvent] {
        var events = known
        var steps = 0
        let stream = try await client.call(
            Training.watchJob,
            .with {
                $0.name = "jobs/broken"
                $0.afterEventNumber = known.last?.eventNumber ?? 0
            })
        while steps <= newSteps, let response = try await stream.next() {
            guard let event = response.event else { continue }
            events.append(event)
            if event.step != nil { steps += 1 }
            if event.newState == .failed { break }
        }
        stream.cancel()
        return events
    }
}

/// Processes with a folder of their own.
struct KilledServices {
    let folder: String

    init() throws {
        folder = "/tmp/fovea-kill-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false)
    }

    func remove() { try? FileManager.default.removeItem(atPath: folder) }

    func socket(_ name: String) -> String { "\(folder)/\(name).sock" }

    /// Enough steps for many kills.
    static func long(_ spec: inout TrainSpec) {
        (spec.epochs, spec.checkpointIntervalSteps) = (24, 3)
    }

    static func kill(_ process: Process) {
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    func start(_ name: String, _ arguments: [String], data: String? = nil) throws -> Process {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: tests).deletingLastPathComponent()
            .appendingPathComponent("fovea-\(name)")
        process.arguments =
            [
                "serve", "--listen", "unix:\(socket(name))", "--data",
                "\(folder)/\(data ?? name)", "--metrics", "off",
            ] + arguments
        process.environment = [
            "XDG_RUNTIME_DIR": folder, "FOVEA_DATASET": "unix:\(socket("dataset"))",
            "FOVEA_THREADS": "1",
        ]
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// Waits until a call is answered.
    func ready<Request, Response>(
        _ client: Client, _ method: UnaryMethod<Request, Response>, _ request: Request
    ) async throws {
        _ = try await client.call(
            method, request, options: CallOptions(timeoutSeconds: 20, waitsForReady: true))
    }

    /// What the job comes to where nobody kills it. Leaves the model registered in the folder that
    /// the job that is killed has too.
    func uninterrupted() async throws -> (events: [JobEvent], weights: [UInt8]) {
        let process = try start("trainer", ["--models", GoldenFamily.root])
        defer { Self.kill(process) }
        let client = Client(.unix(path: socket("trainer")))
        try await ready(client, Training.listModels, ListModelsRequest())
        _ = try await client.call(
            Training.registerModel,
            .with { ($0.modelID, $0.directory) = ("tiny", TinyTrainer.model?.description ?? "") })
        _ = try await client.call(
            Training.createJob, TinyTrainer.request("whole", KilledServices.long))
        var events: [JobEvent] = []
        let stream = try await client.call(Training.watchJob, .with { $0.name = "jobs/whole" })
        while let response = try await stream.next() {
            if let event = response.event { events.append(event) }
        }
        let weights = try await Self.weights("whole", client)
        await client.close()
        return (events, weights)
    }

    /// The adapter of the last checkpoint of a job.
    static func weights(_ job: String, _ client: Client) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        let stream = try await client.call(
            Training.fetchArtifact,
            .with {
                $0.name = "jobs/\(job)/checkpoints/last"
                $0.pathPrefix = "adapter_model"
            })
        while let response = try await stream.next() {
            if case .chunk(let chunk)? = response.part { bytes += chunk.content }
        }
        return bytes
    }
}
