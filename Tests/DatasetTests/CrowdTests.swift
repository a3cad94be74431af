import Base
import Messages
import RPC
import Testing

@testable import DatasetService

/// Many people at once, each with a connection of their own.
struct CrowdTests {
    @Test func fiftyPeopleAtOnceLoseNoVoteAndMeetNoError() async throws {
        let harness = try DatasetHarness(checksTokens: true)
        try await harness.createPets()
        try await harness.ingestOpen((0..<200).map { "r\($0)" })
        let clients = try (0..<50).map { try harness.client(of: "p\($0)", .annotator) }
        let root = harness.client
        let cast = try await withThrowingTaskGroup(of: Int.self) { group in
            for client in clients { group.addTask { try await Self.work(client) } }
            group.addTask {
                // Freezing what is decided meanwhile is nobody's concern.
                for _ in 0..<5 {
                    _ = try? await root.call(
                        Datasets.freezeVersion,
                        .with { ($0.parent, $0.skipUndecided) = ("datasets/pets", true) })
                }
                return 0
            }
            return try await group.reduce(0, +)
        }
        #expect(cast == 600)
        let page = try await harness.client.call(
            Datasets.listExamples, .with { ($0.parent, $0.pageSize) = ("datasets/pets", 1_000) })
        #expect(page.examples.allSatisfy { $0.voteCount == 3 && $0.state == .decided })
        #expect(page.examples.count == 200)
        #expect(try await harness.catalogue.verify(cleans: false).faults == [])
        for client in clients { await client.close() }
        await harness.close()
    }

    /// Takes and answers rows until there are none; returns how many votes were stored.
    private static func work(_ client: Client) async throws -> Int {
        var count = 0
        while true {
            let tasks = try await client.call(
                Datasets.listAnnotationTasks,
                .with { ($0.parent, $0.pageSize) = ("datasets/pets", 3) }
            ).tasks
            if tasks.isEmpty { return count }
            for task in tasks {
                _ = try await client.call(
                    Datasets.submitAnnotation,
                    .with {
                        ($0.task, $0.lease) = (task.name, task.lease)
                        $0.vote = .with { $0.answer = "cat" }
                    })
                count += 1
            }
        }
    }
}
