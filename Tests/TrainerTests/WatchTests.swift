import Base
import Foundation
import Messages
import RPC
import Resources
import Testing

@testable import TrainerService

/// Watching jobs, and what a killed service leaves.
struct WatchTests {
    @Test func whoComesLateSeesTheSame() async throws {
        let gate = Gate(isOpen: false)
        let harness = try TrainerHarness(shop: FakeShop(gate: gate))
        try await harness.create("a", steps: 40)
        let client = harness.client
        let live = Task {
            var events: [JobEvent] = []
            let stream = try await client.call(Training.watchJob, .with { $0.name = "jobs/a" })
            while let response = try await stream.next() {
                if let event = response.event { events.append(event) }
            }
            return events
        }
        gate.allow(17)
        try await harness.watch("a") { $0.step == 17 }
        let late = Task {
            var events: [JobEvent] = []
            let stream = try await client.call(Training.watchJob, .with { $0.name = "jobs/a" })
            while let response = try await stream.next() {
                if let event = response.event { events.append(event) }
            }
            return events
        }
        gate.open()
        let all = try await live.value
        #expect(all.steps == Array(1...40))
        #expect(try await late.value == all)
        #expect(try await harness.events("a") == all)
        let rest = try await harness.events("a") { $0.afterEventNumber = 20 }
        #expect(rest == Array(all.dropFirst(20)))
        await harness.close()
    }

    @Test func kindsAndPastStepsAreChosen() async throws {
        let harness = try TrainerHarness()
        try await harness.create("a", steps: 30)
        _ = try await harness.events("a")
        let states = try await harness.events("a") { $0.kinds = [.state] }
        #expect(states.states.count == states.count)
        let few = try await harness.events("a") {
            ($0.kinds, $0.pastStepsMax, $0.pastOnly) = ([.step], 4, true)
        }
        #expect(few.steps == [8, 15, 23, 30])
        #expect(
            await reason { _ = try await harness.events("a") { $0.afterEventNumber = 999 } }
                == "FIELD_INVALID")
        #expect(
            await reason {
                _ = try await harness.events("a") { $0.kinds = [JobEventKind(rawValue: 77)] }
            } == "FIELD_INVALID")
        await harness.close()
    }

    @Test func pastOnlyEndsWithoutWaiting() async throws {
        let gate = Gate(isOpen: false)
        let harness = try TrainerHarness(shop: FakeShop(gate: gate))
        try await harness.create("a", steps: 9)
        gate.allow(2)
        try await harness.watch("a") { $0.step == 2 }
        #expect(try await harness.events("a") { $0.pastOnly = true }.steps == [1, 2])
        gate.open()
        _ = try await harness.events("a")
        await harness.close()
    }

    @Test func silenceIsToldApartFromDeath() async throws {
        let gate = Gate(isOpen: false)
        let harness = try TrainerHarness(shop: FakeShop(gate: gate), heartbeatSeconds: 0.02)
        try await harness.create("a", steps: 1)
        let stream = try await harness.client.call(
            Training.watchJob, .with { $0.name = "jobs/a" })
        var beats = 0
        while beats < 2, let response = try await stream.next() {
            if response.event == nil { beats += 1 }
        }
        #expect(beats == 2)
        gate.open()
        while let response = try await stream.next() {
            if response.event?.newState == .succeeded { beats = 0 }
        }
        #expect(beats == 0)
        await harness.close()
    }

    /// What a kill leaves is what is on the disk: a copy of the folder at a moment when the service
    /// waits stands for it.
    @Test(arguments: [3, 5, 8, 14])
    func aJobOfAKilledServiceGoesOnByItself(steps: Int) async throws {
        let gate = Gate(isOpen: false)
        let harness = try TrainerHarness(shop: FakeShop(gate: gate))
        try await harness.create("a", steps: 20)
        try await harness.create("b", steps: 1)
        gate.allow(steps)
        let before = try await harness.watch("a") { $0.step == UInt64(steps) }
        if steps.isMultiple(of: 5) {
            try await harness.watch("a") {
                if case .checkpoint? = $0.body { true } else { false }
            }
        }
        let copy = TrainerHarness.newFolder()
        try FileManager.default.copyItem(atPath: harness.folder, toPath: copy)
        gate.open()
        let uninterrupted = try await harness.events("a")
        await harness.close()
        let second = try TrainerHarness(folder: copy)
        let events = try await second.events("a")
        #expect(events.numbers == Array(1...UInt64(events.count)))
        #expect(events.prefix(before.count) == before[...], "no event is lost")
        #expect(events.steps == Array(1...20), "and none is told twice")
        #expect(events.losses == uninterrupted.losses)
        #expect(events.states.suffix(4) == [.queued, .validating, .running, .succeeded])
        let job = try await second.job("a")
        #expect(job.usage?.restartCount == 1)
        #expect(try await second.events("b").states.last == .succeeded)
        let other = try await second.job("b")
        #expect(
            (job.endTime?.nanoseconds ?? 0) <= (other.startTime?.nanoseconds ?? 0),
            "interrupted jobs go first")
        await second.close()
    }

    @Test func aCancelAskedForBeforeAKillIsCarriedOut() async throws {
        let gate = Gate(isOpen: false)
        let harness = try TrainerHarness(shop: FakeShop(gate: gate))
        try await harness.create("a", steps: 20)
        gate.allow(2)
        try await harness.watch("a") { $0.step == 2 }
        let client = harness.client
        let asked = Task {
            try await client.call(Training.cancelJob, .with { $0.name = "jobs/a" })
        }
        try await harness.store(has: "a") { $0.wanted != nil }
        let copy = TrainerHarness.newFolder()
        try FileManager.default.copyItem(atPath: harness.folder, toPath: copy)
        gate.open()
        _ = try await asked.value
        await harness.close()
        let second = try TrainerHarness(folder: copy)
        #expect(try await second.events("a").states.last == .cancelled)
        await second.close()
    }
}

extension [JobEvent] {
    var losses: [Double] {
        compactMap { if case .step(let step)? = $0.body { step.loss } else { nil } }
    }
}
