import Messages
import RPC
import Resources
import Storage

extension Catalogue {
    /// `DeleteExample`: a person's right, so the bytes go too, those in the journal included.
    func delete(
        _ request: DeleteExampleRequest, by caller: Principal
    ) async throws -> DeleteExampleResponse {
        let name = try ExampleName(request.name, field: "name")
        guard !request.reason.isEmpty else { throw DatasetError.required(field: "reason") }
        guard request.reason.utf8.count <= Limits.reasonBytesMax else {
            throw DatasetError.tooLarge(
                what: "reason", bytes: request.reason.utf8.count, bytesMax: Limits.reasonBytesMax)
        }
        let (blobs, now) = (blobs, clock())
        let response = try await once(request.requestID, request) { db in
            guard let (dataset, row) = try db.example(name) else {
                if request.allowMissing { return DeleteExampleResponse() }
                throw DatasetError.notFound(type: "fovea.dataset.v1.Example", name: "\(name)")
            }
            guard row.state != .erased else {
                if request.allowMissing { return DeleteExampleResponse() }
                throw DatasetError.erased(name: "\(name)")
            }
            try db.run(
                "INSERT INTO tombstones VALUES(?, ?, ?, ?)", .integer(row.id),
                .text(request.reason), .text(caller.name), .integer(now))
            return try db.erase(row.id, of: dataset, at: now, blobs)
        }
        try await writer.truncateJournal()
        return response
    }
}

extension Connection {
    /// Empties a row and removes the images that no other row uses.
    fileprivate func erase(
        _ example: Int64, of dataset: DatasetRecord, at now: Int64, _ blobs: BlobStore
    ) throws -> DeleteExampleResponse {
        let key = SQLValue.integer(example)
        let revisions = "(SELECT id FROM revisions WHERE example_id = ?)"
        var response = DeleteExampleResponse()
        response.affectedVersions = try rows(
            """
            SELECT DISTINCT number FROM versions JOIN version_rows ON version_id = versions.id
            WHERE revision_id IN \(revisions) ORDER BY number
            """, key
        ) { VersionName(dataset: dataset.name.id, number: $0.int(0)).description }
        let images = try rows(
            "SELECT DISTINCT image_id FROM revision_images WHERE revision_id IN \(revisions)", key
        ) { $0.int64(0) }
        try run("DELETE FROM revision_images WHERE revision_id IN \(revisions)", key)
        try run("UPDATE revisions SET payload = NULL WHERE example_id = ?", key)
        for table in ["votes", "adjudications", "leases"] {
            try run("DELETE FROM \(table) WHERE example_id = ?", key)
        }
        try run(
            """
            UPDATE examples SET state = ?, answer_origin = 0, gold = 0, vote_count = 0,
                update_ns = ? WHERE id = ?
            """, SQLValue(Int(ExampleState.erased.rawValue)), .integer(now), key)
        try run(
            "UPDATE datasets SET example_count = example_count - 1 WHERE id = ?",
            .integer(dataset.id))
        let gone = try removeImagesWithoutUse(from: blobs, among: images)
        for image in images { try releaseImage(image, from: dataset.id) }
        response.erasedImageCount = UInt32(gone.count)
        response.sharedImageCount = UInt32(images.count - gone.count)
        return response
    }

    /// Takes an image off the list of a dataset in which no row uses it any more.
    private func releaseImage(_ image: Int64, from dataset: Int64) throws {
        try run(
            """
            DELETE FROM dataset_images WHERE dataset_id = ?1 AND image_id = ?2 AND NOT EXISTS (
                SELECT 1 FROM revision_images
                JOIN revisions ON revisions.id = revision_images.revision_id
                JOIN examples ON examples.id = example_id
                WHERE image_id = ?2 AND dataset_id = ?1)
            """, .integer(dataset), .integer(image))
    }
}
