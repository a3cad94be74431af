import Digests
import Messages
import Resources
import Storage

extension Catalogue {
    /// `DeleteDataset`.
    func delete(_ request: DeleteDatasetRequest) async throws -> DeleteDatasetResponse {
        let name = try DatasetName(request.name, field: "name")
        let blobs = blobs
        let response = try await once(request.requestID, request) { db in
            var response = DeleteDatasetResponse()
            guard let record = try db.datasets("WHERE name = ?", .text(name.id)).first else {
                if request.allowMissing { return response }
                throw DatasetError.notFound(type: "fovea.dataset.v1.Dataset", name: "\(name)")
            }
            guard request.etag.isEmpty || request.etag == record.etag else {
                throw DatasetError.changed(
                    name: "\(name)", seen: request.etag, present: record.etag)
            }
            guard request.force || record.exampleCount == 0 else {
                throw DatasetError.inUse(
                    name: "\(name)",
                    why: "it has \(record.exampleCount) rows; set force to delete them too")
            }
            response.exampleCount = UInt64(record.exampleCount)
            response.versionCount = try db.removeDataset(record)
            response.freedBytes = try db.removeImagesWithoutUse(from: blobs).bytes
            return response
        }
        if response.exampleCount > 0 { try await writer.truncateJournal() }
        return response
    }
}

extension Connection {
    /// Removes all rows of a dataset and itself; returns how many versions it had.
    fileprivate func removeDataset(_ record: DatasetRecord) throws -> UInt64 {
        let key = SQLValue.integer(record.id)
        let ofDataset = "(SELECT id FROM versions WHERE dataset_id = ?)"
        let examples = "(SELECT id FROM examples WHERE dataset_id = ?)"
        let count = try first("SELECT count(*) FROM versions WHERE dataset_id = ?", key) {
            $0.int(0)
        }
        try run("DELETE FROM version_rows WHERE version_id IN \(ofDataset)", key)
        try run("DELETE FROM versions WHERE dataset_id = ?", key)
        try run(
            """
            DELETE FROM revision_images WHERE revision_id IN (
                SELECT id FROM revisions WHERE example_id IN \(examples))
            """, key)
        for table in ["adjudications", "revisions", "votes", "tombstones"] {
            try run("DELETE FROM \(table) WHERE example_id IN \(examples)", key)
        }
        for table in ["leases", "guidelines", "examples", "dataset_images", "ingests"] {
            try run("DELETE FROM \(table) WHERE dataset_id = ?", key)
        }
        try run("DELETE FROM datasets WHERE id = ?", key)
        return UInt64(count ?? 0)
    }

    /// Removes the images that no row uses; their bytes go once the change is on disk.
    func removeImagesWithoutUse(
        from blobs: BlobStore, among ids: [Int64]? = nil
    ) throws -> (count: Int, bytes: UInt64) {
        let unused =
            "NOT EXISTS (SELECT 1 FROM revision_images WHERE image_id = images.id)"
        let select = "SELECT id, sha, size_bytes, original_sha FROM images WHERE"
        var found: [(id: Int64, digests: [Digest256], bytes: Int)] = []
        let take: (Row) -> Void = { row in
            found.append((row.int64(0), [1, 3].compactMap { row.digest($0) }, row.int(2)))
        }
        if let ids {
            for id in ids {
                try each("\(select) id = ? AND \(unused)", [.integer(id)]) { row in
                    take(row)
                    return true
                }
            }
        } else {
            try each("\(select) \(unused)", []) { row in
                take(row)
                return true
            }
        }
        for image in found {
            try run("DELETE FROM dataset_images WHERE image_id = ?", .integer(image.id))
            try run("DELETE FROM images WHERE id = ?", .integer(image.id))
            for digest in image.digests { removeAfterCommit(digest, from: blobs) }
        }
        return (found.count, found.reduce(0) { $0 + UInt64($1.bytes) })
    }

    /// The bytes may have come in again within the same transaction; then they stay.
    private func removeAfterCommit(_ digest: Digest256, from blobs: BlobStore) {
        afterCommit { [unowned self] in
            let key = SQLValue(digest)
            let select = "SELECT 1 FROM images WHERE sha = ? OR original_sha = ?"
            // If this cannot be asked the bytes stay; `verify` finds them.
            guard let uses = try? rows(select, key, key, as: { $0.int(0) }) else { return }
            if uses.isEmpty { blobs.remove(digest) }
        }
    }
}
