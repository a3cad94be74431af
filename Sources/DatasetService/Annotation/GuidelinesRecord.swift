import Base
import Messages
import Resources
import Storage

extension Connection {
    /// The guidelines in force; nil if there are none.
    func guidelines(of dataset: DatasetRecord) throws -> Guidelines? {
        guard !dataset.stored.guidelines.isEmpty else { return nil }
        return try guidelines(of: dataset, revision: 0)
    }

    /// A revision of the guidelines.
    ///
    /// - Parameter revision: counted from 1; 0 for the one in force
    func guidelines(of dataset: DatasetRecord, revision: UInt32) throws -> Guidelines {
        let wanted = revision == 0 ? Verdict.revision(dataset.stored.guidelines) : Int(revision)
        let stored = try first(
            "SELECT message FROM guidelines WHERE dataset_id = ? AND revision = ?",
            .integer(dataset.id), SQLValue(wanted)
        ) { $0.blob(0) }
        guard let stored else {
            let name = NumberedName(dataset: dataset.name.id, .guidelines, Int64(wanted))
            throw DatasetError.notFound(type: "fovea.dataset.v1.Guidelines", name: "\(name)")
        }
        return try Guidelines(decoding: stored)
    }

    /// Stores the next revision and makes it the one in force.
    ///
    /// - Parameter guidelines: checked already
    /// - Returns: as stored
    func put(
        _ guidelines: Guidelines, to dataset: DatasetRecord, by author: String, at now: Int64
    ) throws -> Guidelines {
        var stored = guidelines
        let revision = Verdict.revision(dataset.stored.guidelines) + 1
        stored.revision = UInt32(revision)
        stored.name =
            NumberedName(dataset: dataset.name.id, .guidelines, Int64(revision)).description
        stored.author = author
        stored.createTime = .init(nanoseconds: now)
        try run(
            "INSERT INTO guidelines VALUES(?, ?, ?)", .integer(dataset.id), SQLValue(revision),
            .blob(try stored.encoded()))
        var changed = dataset.stored
        changed.guidelines = stored.name
        try run(
            """
            UPDATE datasets SET message = ?, update_ns = ?, change_count = change_count + 1
            WHERE id = ?
            """, .blob(try changed.encoded()), .integer(now), .integer(dataset.id))
        return stored
    }
}
