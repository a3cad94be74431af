import Base
import Foundation
import Messages
import RPC
import Resources
import Storage
import Testing

@testable import TrainerService

/// Jobs over the wire, with a work that takes no time.
struct JobTests {
    @Test func aJobRunsAndTellsEverythingInOrder() async throws {
        let harness = try TrainerHarness()
        let made = try await harness.create("a", steps: 12)
        #expect(made.name == "jobs/a")
        #expect(made.state == .queued)
        #expect(made.spec?.device == "cpu")
        let events = try await harness.events("a")
        #expect(events.numbers == Array(1...UInt64(events.count)))
        #expect(events.states == [.queued, .validating, .running, .succeeded])
        #expect(events.steps == Array(1...12))
        let job = try await harness.job("a")
        #expect(job.state == .succeeded)
        #expect(job.lastEventNumber == UInt64(events.count))
        #expect(job.progress?.step == 12)
        #expect(job.lastCheckpoint == "jobs/a/checkpoints/10")
        #expect(job.artifacts.map(\.name) == ["jobs/a/artifacts/adapter"])
        #expect(job.usage != nil)
        #expect(job.endTime != nil)
        await harness.close()
    }

    @Test func oneRequestIDMakesOneJob() async throws {
        let harness = try TrainerHarness()
        let id = UUID().uuidString
        let request = TrainerHarness.request(steps: 3) { $0.requestID = id }
        let client = harness.client
        let names = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<8 {
                group.addTask { try await client.call(Training.createJob, request).name }
            }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(names.count == 1)
        let other = await reason {
            try await harness.create(steps: 4) { $0.requestID = id }
        }
        #expect(other == "REQUEST_ID_REUSED")
        #expect(
            await reason { try await harness.create(steps: 1) { $0.requestID = "x" } }
                == "FIELD_INVALID")
        let listed = try await client.call(Training.listJobs, ListJobsRequest())
        #expect(listed.jobs.map(\.name) == Array(names))
        await harness.close()
    }

    @Test func onlyValidatingKeepsNothing() async throws {
        let harness = try TrainerHarness()
        let job = try await harness.create("a", steps: 3) { $0.validateOnly = true }
        #expect(job.state == .queued)
        #expect(await reason { _ = try await harness.job("a") } == "RESOURCE_NOT_FOUND")
        await harness.close()
    }

    @Test func aTakenNameIsRefused() async throws {
        let harness = try TrainerHarness()
        try await harness.create("a", steps: 1)
        #expect(await reason { try await harness.create("a", steps: 1) } == "RESOURCE_EXISTS")
        await harness.close()
    }

    @Test func jobsOfOneDeviceRunOneAtATimeAndInTurn() async throws {
        let gate = Gate(isOpen: false)
        let harness = try TrainerHarness(shop: FakeShop(gate: gate))
        for id in ["a", "b", "c"] { try await harness.create(id, steps: 2) }
        try await harness.create("g", steps: 2) { $0.spec?.device = "gpu:0" }
        for id in ["a", "g"] { try await harness.watch(id) { $0.newState == .running } }
        let places = try await [harness.job("b"), harness.job("c")].map(\.queuePosition)
        #expect(places == [1, 2])
        gate.open()
        for id in ["a", "b", "c", "g"] {
            #expect(try await harness.events(id).states.last == .succeeded)
        }
        let starts = try await [harness.job("a"), harness.job("b"), harness.job("c")].map {
            ($0.startTime?.nanoseconds ?? 0, $0.endTime?.nanoseconds ?? 0)
        }
        #expect(starts[0].1 <= starts[1].0)
        #expect(starts[1].1 <= starts[2].0)
        await harness.close()
    }

    @Test func cancelEndsAJobWithinAStep() async throws {
        let gate = Gate(isOpen: false)
        let harness = try TrainerHarness(shop: FakeShop(gate: gate))
        try await harness.create("a", steps: 100)
        gate.allow(3)
        try await harness.watch("a") { $0.step == 3 }
        let client = harness.client
        let cancelled = Task {
            try await client.call(
                Training.cancelJob, .with { ($0.name, $0.reason) = ("jobs/a", "no use") })
        }
        try await harness.store(has: "a") { $0.wanted != nil }
        gate.open()
        let job = try await cancelled.value
        #expect(job.state == .cancelled)
        #expect(job.problem?.message == "no use")
        #expect(try await harness.events("a").steps.count <= 4)
        let again = try await client.call(Training.cancelJob, .with { $0.name = "jobs/a" })
        #expect(again.state == .cancelled)
        #expect(
            await reason {
                _ = try await client.call(Training.resumeJob, .with { $0.name = "jobs/a" })
            } == "STATE_INVALID")
        await harness.close()
    }

    @Test func aPausedJobGoesOnWhereItWas() async throws {
        let gate = Gate(isOpen: false)
        let harness = try TrainerHarness(shop: FakeShop(gate: gate))
        try await harness.create("a", steps: 20)
        gate.allow(7)
        try await harness.watch("a") { $0.step == 7 }
        let client = harness.client
        let paused = Task {
            try await client.call(Training.pauseJob, .with { $0.name = "jobs/a" })
        }
        try await harness.store(has: "a") { $0.wanted != nil }
        gate.open()
        let job = try await paused.value
        #expect(job.state == .paused)
        #expect((7...8).contains(job.progress?.step ?? 0))
        #expect(job.lastCheckpoint == "jobs/a/checkpoints/\(job.progress?.step ?? 0)")
        let other = TrainerHarness.request("b", steps: 1)
        _ = try await client.call(Training.createJob, other)
        #expect(try await harness.events("b").states.last == .succeeded, "the device is free")
        let resumed = try await client.call(Training.resumeJob, .with { $0.name = "jobs/a" })
        #expect(resumed.state == .queued)
        let events = try await harness.events("a")
        #expect(events.steps == Array(1...20))
        #expect(events.numbers == Array(1...UInt64(events.count)))
        await harness.close()
    }

    @Test func aJobThatWaitsIsCancelledAndPausedAtOnce() async throws {
        let gate = Gate(isOpen: false)
        let harness = try TrainerHarness(shop: FakeShop(gate: gate))
        for id in ["a", "b", "c"] { try await harness.create(id, steps: 1) }
        let client = harness.client
        let b = try await client.call(Training.cancelJob, .with { $0.name = "jobs/b" })
        let c = try await client.call(Training.pauseJob, .with { $0.name = "jobs/c" })
        #expect([b.state, c.state] == [.cancelled, .paused])
        gate.open()
        #expect(try await harness.events("a").states.last == .succeeded)
        #expect(try await harness.events("b").states == [.queued, .cancelled])
        await harness.close()
    }

    @Test func anOldEtagChangesNothing() async throws {
        let gate = Gate(isOpen: false)
        let harness = try TrainerHarness(shop: FakeShop(gate: gate))
        let made = try await harness.create("a", steps: 2)
        try await harness.watch("a") { $0.newState == .running }
        let client = harness.client
        for call in [Training.cancelJob.path.name, "pause", "resume"] {
            let seen = await reason {
                switch call {
                case "pause":
                    _ = try await client.call(
                        Training.pauseJob, .with { ($0.name, $0.etag) = ("jobs/a", made.etag) })
                case "resume":
                    _ = try await client.call(
                        Training.resumeJob, .with { ($0.name, $0.etag) = ("jobs/a", made.etag) })
                default:
                    _ = try await client.call(
                        Training.cancelJob, .with { ($0.name, $0.etag) = ("jobs/a", made.etag) })
                }
            }
            #expect(seen == "ETAG_MISMATCH", "\(call)")
        }
        gate.open()
        #expect(try await harness.events("a").states.last == .succeeded)
        await harness.close()
    }

    @Test func aFailureIsTheEndUnlessTheJobHadBegun() async throws {
        let harness = try TrainerHarness()
        try await harness.create("bad", steps: 9) {
            $0.spec?.work = .train(.with { ($0.epochs, $0.model) = (9, "models/invalid") })
        }
        try await harness.create("broken", steps: 9) {
            $0.spec?.work = .train(.with { ($0.epochs, $0.model) = (9, "models/broken") })
        }
        #expect(try await harness.events("bad").states == [.queued, .validating, .failed])
        #expect(try await harness.job("bad").problem?.reason == .lossMaskInvalid)
        let client = harness.client
        #expect(
            await reason {
                _ = try await client.call(Training.resumeJob, .with { $0.name = "jobs/bad" })
            } == "STATE_INVALID")
        let events = try await harness.events("broken")
        #expect(events.states.last == .failed)
        #expect(events.steps == [1, 2, 3])
        let resumed = try await client.call(
            Training.resumeJob, .with { $0.name = "jobs/broken" })
        #expect(resumed.state == .queued)
        #expect(resumed.problem == nil)
        await harness.close()
    }

    @Test func aFullDiskPausesAJob() async throws {
        let harness = try TrainerHarness()
        try await harness.create("a", steps: 6) {
            $0.spec?.work = .train(.with { ($0.epochs, $0.model) = (6, "models/disk-full") })
        }
        try await harness.watch("a") { $0.newState == .paused }
        #expect(try await harness.job("a").problem?.reason == .diskFull)
        _ = try await harness.client.call(Training.resumeJob, .with { $0.name = "jobs/a" })
        let events = try await harness.events("a")
        #expect(events.steps == Array(1...6))
        #expect(events.states.last == .succeeded)
        await harness.close()
    }

    @Test func requestsThatMakeNoSenseAreRefused() async throws {
        let harness = try TrainerHarness()
        let client = harness.client
        let create = { @Sendable (change: (inout CreateJobRequest) -> Void) async in
            await reason {
                _ = try await client.call(
                    Training.createJob, TrainerHarness.request(steps: 1, change))
            }
        }
        #expect(await create { $0.spec = nil } == "FIELD_REQUIRED")
        #expect(await create { $0.jobID = "A b" } == "FIELD_INVALID")
        #expect(await create { $0.spec?.device = "gpu:9" } == "DEVICE_ABSENT")
        #expect(
            await create { $0.displayName = String(repeating: "x", count: 201) } == "SIZE_EXCEEDED")
        #expect(await create { $0.labels = ["A": "b"] } == "FIELD_INVALID")
        for (name, expected) in [
            ("", "FIELD_REQUIRED"), ("jobs", "NAME_INVALID"), ("jobs/a/b", "NAME_INVALID"),
            ("models/a", "NAME_INVALID"), ("jobs/nobody", "RESOURCE_NOT_FOUND"),
        ] {
            #expect(
                await reason {
                    _ = try await client.call(Training.getJob, .with { $0.name = name })
                } == expected, "\(name)")
        }
        #expect(
            await reason {
                _ = try await client.call(Training.listJobs, .with { $0.filter = "colour = red" })
            } == "FILTER_INVALID")
        #expect(
            await reason {
                _ = try await client.call(Training.listJobs, .with { $0.pageToken = "abc" })
            } == "PAGE_TOKEN_INVALID")
        await harness.close()
    }

    @Test func listsAreFilteredSortedAndCutIntoPages() async throws {
        let harness = try TrainerHarness()
        for number in 0..<7 {
            try await harness.create("j\(number)", steps: 1) {
                $0.labels = ["team": number.isMultiple(of: 2) ? "even" : "odd"]
            }
        }
        for number in 0..<7 { _ = try await harness.events("j\(number)") }
        var names: [String] = []
        var token = ""
        repeat {
            let page = try await harness.client.call(
                Training.listJobs,
                .with {
                    $0.filter = "labels.team = even AND state = SUCCEEDED AND work = train"
                    ($0.orderBy, $0.pageSize, $0.pageToken) = ("create_time", 3, token)
                })
            names += page.jobs.map(\.name)
            token = page.nextPageToken
        } while !token.isEmpty
        #expect(names == ["jobs/j0", "jobs/j2", "jobs/j4", "jobs/j6"])
        await harness.close()
    }
}

extension TrainerHarness {
    /// Waits until the store has a job as `isRight` wants it.
    func store(has id: String, _ isRight: @Sendable (JobRecord) -> Bool) async throws {
        let name = JobName(id: id)
        let number = try await jobs.store.reader.read { db in try db.job(name).id }
        var signals = jobs.store.board.signals(of: number).makeAsyncIterator()
        while true {
            let job = try await jobs.store.reader.read { db in try db.job(name) }
            if isRight(job) { return }
            guard await signals.next() != nil else { return }
        }
    }
}
