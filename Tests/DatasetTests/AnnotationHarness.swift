import Base
import Images
import Messages
import RPC

import Resources
@testable import DatasetService

/// Calls that tests of annotation make again and again.
extension DatasetHarness {
    /// Rows without an answer, each with a picture of its own.
    func ingestOpen(_ ids: [String]) async throws {
        let rows = try ids.enumerated().map { number, id in
            let image = try Pets.image(number + 5_000, width: 8, height: 8).png(level: 1)
            return Pets.row(id, image: image, answer: nil)
        }
        let response = try await ingest(rows)
        guard response.acceptedCount == ids.count else { throw DatasetError.badPageToken }
    }

    /// Tasks of a person.
    func tasks(
        _ annotator: String, _ change: (inout ListAnnotationTasksRequest) -> Void = { _ in }
    ) async throws -> ListAnnotationTasksResponse {
        var request = ListAnnotationTasksRequest()
        (request.parent, request.annotator, request.pageSize) = ("datasets/pets", annotator, 100)
        change(&request)
        return try await client.call(Datasets.listAnnotationTasks, request)
    }

    /// Votes on a task.
    @discardableResult
    func submit(
        _ task: AnnotationTask, _ answer: String,
        _ change: (inout SubmitAnnotationRequest) -> Void = { _ in }
    ) async throws -> SubmitAnnotationResponse {
        var request = SubmitAnnotationRequest()
        (request.task, request.lease) = (task.name, task.lease)
        request.vote = .with { ($0.answer, $0.leadSeconds) = (answer, 2) }
        change(&request)
        return try await client.call(Datasets.submitAnnotation, request)
    }

    /// Takes all tasks of a person and answers those that `answer` knows.
    func vote(_ annotator: String, _ answer: (String) -> String?) async throws {
        for task in try await tasks(annotator).tasks {
            guard let given = answer(task.example?.rowID ?? "") else { continue }
            try await submit(task, given)
        }
    }

    func example(_ id: String) async throws -> Example {
        try await client.call(
            Datasets.getExample,
            .with { ($0.name, $0.includeVotes) = ("datasets/pets/examples/\(id)", true) })
    }

    /// Adds a record to a discussion.
    @discardableResult
    func adjudicate(
        _ id: String, _ kind: AdjudicationKind, answer: String = "",
        _ change: (inout AdjudicateRequest) -> Void = { _ in }
    ) async throws -> AdjudicateResponse {
        var request = AdjudicateRequest()
        request.example = "datasets/pets/examples/\(id)"
        var record = Adjudication()
        (record.kind, record.answer, record.reason) = (kind, answer, "seen from above")
        request.adjudication = record
        change(&request)
        return try await client.call(Datasets.adjudicate, request)
    }

    func put(
        _ guidelines: Guidelines, base: UInt32 = 0, validateOnly: Bool = false
    ) async throws -> PutGuidelinesResponse {
        try await client.call(
            Datasets.putGuidelines,
            .with {
                ($0.parent, $0.guidelines, $0.baseRevision) = ("datasets/pets", guidelines, base)
                $0.validateOnly = validateOnly
            })
    }

    /// The reason for which a call is turned down; nil if it is not.
    func refusal(_ body: () async throws -> Void) async throws -> String? {
        do {
            try await body()
            return nil
        } catch let error as RPCError {
            return error.toldReason ?? error.message
        }
    }
}
