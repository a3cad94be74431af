import Base
import Messages
import RPC
import Testing

@testable import DatasetService

struct CatalogueTests {
    private func get(_ harness: DatasetHarness) async throws -> Dataset {
        try await harness.client.call(
            Datasets.getDataset,
            .with { $0.name = "datasets/pets" })
    }

    @Test func aDatasetIsCreatedChangedAndDeleted() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        let created = try await get(harness)
        #expect(created.annotatorsPerRow == 3)
        #expect(created.answerSchema?.classes.map(\.name) == ["cat", "dog"])
        let changed = try await harness.client.call(
            Datasets.updateDataset,
            .with {
                $0.dataset = .with {
                    $0.name = created.name
                    $0.etag = created.etag
                    $0.displayName = "Pets"
                    $0.annotatorsPerRow = 5
                }
                $0.updateMask = .with { $0.paths = ["display_name"] }
            })
        #expect(changed.displayName == "Pets")
        #expect(changed.annotatorsPerRow == 3)
        #expect(changed.etag != created.etag)
        let late = await #expect(throws: RPCError.self) {
            try await harness.client.call(
                Datasets.updateDataset,
                .with {
                    $0.dataset = .with {
                        $0.name = created.name
                        $0.etag = created.etag
                        $0.displayName = "Late"
                    }
                })
        }
        #expect(late?.code == .aborted)
        #expect(late?.toldReason == "ETAG_MISMATCH")
        _ = try await harness.client.call(
            Datasets.deleteDataset, .with { $0.name = created.name })
        let gone = await #expect(throws: RPCError.self) { try await self.get(harness) }
        #expect(gone?.code == .notFound)
        await harness.close()
    }

    @Test(arguments: [
        ("Pets", "dataset_id", "FIELD_INVALID"), ("", "dataset.task", "FIELD_REQUIRED"),
        ("pets", "dataset_id", "RESOURCE_EXISTS"),
    ])
    func whatIsWrongIsNamed(id: String, field: String, reason: String) async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        let error = await #expect(throws: RPCError.self) {
            try await harness.client.call(
                Datasets.createDataset,
                .with {
                    $0.datasetID = id
                    $0.dataset = .with { $0.task = id.isEmpty ? .unspecified : .generation }
                })
        }
        #expect(error?.toldReason == reason)
        if reason != "RESOURCE_EXISTS" { #expect(error?.message.contains(field) == true) }
        await harness.close()
    }

    @Test func aRepeatedRequestGetsTheFirstAnswer() async throws {
        let harness = try DatasetHarness()
        let request = CreateDatasetRequest.with {
            $0.datasetID = "once"
            $0.dataset = .with { $0.task = .generation }
            $0.requestID = "5a3b9c52-6df1-4a3f-8f0a-0d6f2f8e1a11"
        }
        let first = try await harness.client.call(Datasets.createDataset, request)
        #expect(try await harness.client.call(Datasets.createDataset, request) == first)
        let other = CreateDatasetRequest.with {
            $0 = request
            $0.datasetID = "twice"
        }
        let error = await #expect(throws: RPCError.self) {
            try await harness.client.call(Datasets.createDataset, other)
        }
        #expect(error?.toldReason == "REQUEST_ID_REUSED")
        await harness.close()
    }

    @Test func datasetsAreListedByFilterAndPage() async throws {
        let harness = try DatasetHarness()
        for number in 0..<5 {
            _ = try await harness.client.call(
                Datasets.createDataset,
                .with {
                    $0.datasetID = "d\(number)"
                    $0.dataset = .with {
                        $0.task = number == 0 ? .generation : .extraction
                        $0.labels = ["team": number < 3 ? "ap" : "hr"]
                    }
                })
        }
        var request = ListDatasetsRequest()
        request.filter = "task = EXTRACTION AND (labels.team = \"ap\" OR labels.team:h)"
        request.orderBy = "name desc"
        request.pageSize = 3
        let first = try await harness.client.call(Datasets.listDatasets, request)
        #expect(first.datasets.map(\.name) == ["datasets/d4", "datasets/d3", "datasets/d2"])
        request.pageToken = first.nextPageToken
        let second = try await harness.client.call(Datasets.listDatasets, request)
        #expect(second.datasets.map(\.name) == ["datasets/d1"])
        #expect(second.nextPageToken.isEmpty)
        let other = ListDatasetsRequest.with { $0.pageToken = first.nextPageToken }
        let moved = await #expect(throws: RPCError.self) {
            try await harness.client.call(Datasets.listDatasets, other)
        }
        #expect(moved?.toldReason == "PAGE_TOKEN_INVALID")
        await harness.close()
    }
}
